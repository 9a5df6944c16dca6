"""A metric is one declaration: what a wrong one says, and everything that follows from one in a single file."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from shapeprof.metrics.bins import LENGTH, UNIT
from shapeprof.metrics.geometry import Geometry
from shapeprof.metrics.metric import Metric, declared, metric
from shapeprof.metrics.registry import all_metrics, find_metric, histograms
from shapeprof.sources.run_length import encode
from tests.metrics.images import label_map
from tests.shapes import disc

ROOT = Path(__file__).parents[2]


def constant(geometry: Geometry) -> NDArray[Any]:
    """Always 1.

    By definition.
    """
    return np.ones(geometry.objects.class_id.size)


def undocumented(geometry: Geometry) -> NDArray[Any]:
    return constant(geometry)


def geometry_of(mask: NDArray[Any]) -> Geometry:
    return Geometry([encode(label_map(mask))], 0, floor=1, sampled=np.ones(1, bool))


# -- the declaration


def test_what_is_not_said_has_a_plain_default() -> None:
    area = find_metric("area")
    assert area is not None
    assert (area.key, area.title, area.undefined, area.bins) == ("area", "area", "never", LENGTH)
    quotient = next(m for m in all_metrics() if m.name == "isoperimetric_quotient")
    assert (quotient.title, quotient.shows, quotient.bins) == ("isoperimetric quotient", (), None)


@pytest.mark.parametrize(
    ("function", "arguments", "says"),
    [
        pytest.param(constant, {"name": "convexity"}, "is declared in shapeprof.metrics.per_object", id="name taken"),
        pytest.param(constant, {"name": "new", "key": "feret"}, "give it a name of its own", id="key taken"),
        pytest.param(undocumented, {"name": "new"}, "has no docstring", id="no docstring"),
        pytest.param(constant, {"name": "new", "shows": (50,)}, "choose UNIT, LENGTH or DEPTH", id="no bins"),
        pytest.param(constant, {"name": "new", "bins": UNIT, "in_report": True}, "shows no percentile", id="no shows"),
    ],
)
def test_a_wrong_declaration_says_what_to_do(function: Any, arguments: dict[str, Any], says: str) -> None:
    before = declared()
    with pytest.raises(ValueError, match=says):
        metric(**arguments)(function)
    assert declared() == before


def test_a_type_that_numpy_does_not_know() -> None:
    with pytest.raises(TypeError):
        metric("new", "float65")(constant)


@pytest.mark.parametrize("m", all_metrics(), ids=lambda m: m.name)
def test_every_page_says_what_it_is(m: Metric) -> None:
    assert m.meaning and "\n" not in m.meaning and not m.meaning.endswith(".")
    page = m.explain()
    assert page.startswith(f"{m.name}\n\n{m.page}")
    assert f"Range: {m.range}. Undefined: {m.undefined}." in page
    assert (m.bins is not None) == (f'"{m.key}" in profile.json' in page)


def test_ranges_as_text() -> None:
    said = {m.name: m.range for m in all_metrics()}
    assert said["convexity"] == "0 to 1"
    assert said["area"] == "1 to inf px"


# -- the registry


def test_the_order_of_the_columns_is_fixed() -> None:
    """New ones come behind."""
    names = [m.name for m in all_metrics()]
    assert names[:7] == ["class_id", "object_id", "min_row", "min_col", "max_row", "max_col", "area"]
    assert names[28:33] == [f"survival_nearest_{s}" for s in (2, 4, 8, 16, 32)]
    assert len(set(names)) == len(names)


def test_metrics_are_found_by_their_key() -> None:
    feret = find_metric("feret")
    assert feret is not None and feret.name == "feret_max"
    assert find_metric("nonsense") is None
    assert {m.key for m in histograms()} >= {
        *("area", "convexity", "convexity_filled", "concavity_depth", "feret", "box_length", "mean_width")
    }


def test_declaring_loads_no_compiler() -> None:
    """So that a report from profile.json starts fast."""
    code = "import sys, shapeprof.profile.file; print('numba' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


# -- the geometry


def test_values_are_computed_once() -> None:
    geometry, calls = geometry_of(disc(5)), []

    def compute(given: Geometry) -> NDArray[Any]:
        calls.append(given)
        return np.ones(1)

    assert geometry.once("x", compute) is geometry.once("x", compute)
    assert calls == [geometry]
    assert geometry.outline is geometry.outline
    assert geometry.members is geometry.members


def test_nothing_is_computed_that_nobody_asks_for() -> None:
    geometry = geometry_of(disc(5))
    area = find_metric("area")
    assert area is not None
    assert area(geometry).tolist() == [disc(5).sum()]
    assert "widths" not in vars(geometry) and "nearest" not in vars(geometry)


def test_boxes_are_those_of_the_objects_own_mask() -> None:
    """Not of the stack that masks are measured in."""
    labels = np.zeros((9, 11), np.uint8)
    labels[2:5, 3:9] = 1
    maps = [encode(label_map(labels, path=name)) for name in "ab"]
    geometry = Geometry(maps, 0, floor=1, sampled=np.ones(2, bool))
    assert geometry.box.tolist() == [[2, 3, 5, 9]] * 2
    assert geometry.size.tolist() == [[9, 11]] * 2


# -- one file is enough

ONE_FILE = '''
"""How elongated it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from shapeprof.metrics.bins import UNIT
from shapeprof.metrics.metric import metric

if TYPE_CHECKING:
    from shapeprof.metrics.geometry import Geometry


@metric("box_ratio", low=0, high=1, bins=UNIT, shows=(10, 50), shows_by_area=(50,), in_report=True, title="ratio",
        undefined="for objects of one pixel")
def box_ratio(geometry: Geometry) -> NDArray[Any]:
    """Short side of its box over the long one.

    1 for a square.
    """
    top, left, bottom, right = geometry.box.T
    height, width = bottom - top, right - left
    return np.where(height * width > 1, np.minimum(height, width) / np.maximum(height, width), np.nan)
'''

USED = """
import json, sys
from pathlib import Path
from shapeprof.metrics import per_object
per_object.__path__.append(sys.argv[1])  # as if the file lay in shapeprof/metrics/per_object

from shapeprof.metrics.registry import all_metrics, find_metric
from shapeprof.profile.classes_block import classes_block
from shapeprof.profile.file import dump, load, load_objects
from shapeprof.profile.tally import part
from shapeprof.scan.scan import scan_masks
from shapeprof.scan.shards import ScanOptions

masks = Path(sys.argv[2])
out = masks.with_name("out")
scan_masks(masks, ScanOptions(floor=1, workers=1), out)
profile = load(out / "profile.json")
view = profile.classes()[0]
sys.path.insert(0, sys.argv[3])
from docs.generate import metrics_page
rows = load_objects(out)
print(json.dumps({
    "column": rows["box_ratio"].fillna(-1).tolist(),
    "place": [column in rows.columns for column in ("measured", "box_ratio")],
    "counted": int(part(view.tally, "box_ratio").sum()),
    "quantile": view.quantile("box_ratio", 0.5),
    "block": classes_block(profile)[0]["box_ratio"],
    "again": dump(profile) == (out / "profile.json").read_text(),
    "page": metrics_page(),
    "explain": find_metric("box_ratio").explain(),
    "report": [m.title for m in all_metrics() if m.in_report],
}))
"""


@pytest.mark.slow
def test_a_metric_in_one_file_shows_everywhere(tmp_path: Path) -> None:
    """Column, histogram, quantiles, profile.json and back, docs and explain; undefined values are not counted."""
    extra, masks = tmp_path / "extra", tmp_path / "masks"
    extra.mkdir()
    masks.mkdir()
    (extra / "box_ratio.py").write_text(ONE_FILE, encoding="utf-8")
    for k in range(3):
        labels = np.zeros((64, 64), np.uint8)
        labels[10:30, 10:50] = 255  # 20 x 40
        labels[40:60, 40:60] = 255  # 20 x 20
        labels[2, 2] = 255  # one pixel
        cv2.imwrite(str(masks / f"{k}.png"), labels)
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "ignore"}
    done = subprocess.run(
        [sys.executable, "-c", USED, str(extra), str(masks), str(ROOT)],
        capture_output=True, text=True, env=environment, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    assert seen["column"] == [-1, 0.5, 1] * 3
    assert seen["place"] == [True, True]
    assert seen["counted"] == 6
    assert seen["quantile"] == pytest.approx(0.5, abs=0.0011)
    assert set(seen["block"]) == {"p10", "p50", "area_weighted"}
    assert seen["block"]["area_weighted"]["p50"] == pytest.approx(0.5, abs=0.0011)
    assert seen["again"]
    assert "| `box_ratio` |  | 0 to 1 | Short side of its box over the long one |" in seen["page"]
    assert "## box_ratio" in seen["page"]
    assert "1 for a square." in seen["explain"]
    assert "ratio" in seen["report"]
