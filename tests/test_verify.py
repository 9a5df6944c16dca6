"""``shapeprof verify``: the folder's own checks in their own process, what shapeprof adds, and how it is shown."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import yaml

pytest.importorskip("torch")

from shapeprof.design.cost import cost
from shapeprof.design.spec import DerivedSpec, ModelSpec, NetworkSpec, Rationale
from shapeprof.errors import InputError
from shapeprof.export import verify as verification
from shapeprof.export.verify import Check, Verification, verify_model
from shapeprof.report.verification import one_line, to_dict
from shapeprof.targets.pytorch import emit

from .builders import discs, strips, write_set
from .nn.designs import NETWORKS, model_spec
from .test_cli import run

CROP = (96, 128)


def spec_of(network: NetworkSpec, **changes: Any) -> ModelSpec:
    """A spec whose derived numbers are those that an export writes."""
    spec = model_spec(network, classes=2, channels=1, crop=CROP, loss="ce", learning_rate=1e-2)
    counted = cost(network, 2, 1, CROP, 2)
    numbers = {name: getattr(counted, name) for name in DerivedSpec.model_fields}
    return spec.model_copy(update={"derived": DerivedSpec(**numbers), **changes})


def rule_r1(statistic: str, threshold: float) -> Rationale:
    return Rationale(
        rule="R1", name="logit-stride", sets=("model.decoder.logit_stride",), value=2, reason="",
        statistic=statistic, measured=0.5, threshold=threshold, binding_class="class 1",
    )  # fmt: skip


def folder_of(root: Path, spec: ModelSpec, masks: list[np.ndarray] | None = None) -> Path:
    """An exported folder, with images that show their masks."""
    for file in emit(spec):
        (root / "net" / file.path).parent.mkdir(parents=True, exist_ok=True)
        (root / "net" / file.path).write_text(file.content)
    if masks:
        rows = [["image", "mask", "split", "group"]]
        for i, mask in enumerate(masks):
            cv2.imwrite(str(root / "net" / f"mask{i}.png"), mask)
            cv2.imwrite(str(root / "net" / f"image{i}.png"), 60 + 120 * mask)
            rows.append([f"image{i}.png", f"mask{i}.png", "train", ""])
        with (root / "net/dataset.csv").open("w", newline="") as file:
            csv.writer(file).writerows(rows)
    return root / "net"


STEM_2 = NETWORKS["stem of stride 2"]


@pytest.mark.slow
def test_a_whole_verification_passes_and_fits_its_width(tmp_path: Path) -> None:
    spec = spec_of(STEM_2, rationale=(rule_r1("survival_linear(4)", 0.89),))
    folder = folder_of(tmp_path, spec, discs(6, 30))
    code, out, err = run("verify", folder, columns=80)
    assert (code, err) == (0, ""), out
    assert max(len(line.rstrip()) for line in out.splitlines()) <= 80
    text = " ".join(out.split())
    assert "class 1 keeps 100% of its area at stride 2 at best, on 6 masks (89% asked for)" in text
    for wanted in ("GMAC a crop", "steps a second here", "4 steps in", "estimated", "14 checks passed, 1 skipped"):
        assert wanted in text
    assert not list(folder.rglob("__pycache__"))


@pytest.mark.slow
def test_machines_get_one_object_and_an_exit_code(tmp_path: Path) -> None:
    spec = spec_of(STEM_2)
    folder = folder_of(tmp_path, spec.model_copy(update={"derived": spec.derived.model_copy(update={"macs": 7})}))
    code, out, err = run("verify", folder, "--quick", "--json")
    data = json.loads(out)
    assert (code, err, data["passed"], data["quick"]) == (3, "", False, True)
    found = {check["name"]: check for check in data["checks"] if check["status"] == "failed"}
    assert found.keys() == {"counts", "on paper"}
    assert "spec.yaml has 7" in found["counts"]["message"]
    assert "macs 7, counted" in found["on paper"]["message"]
    assert data["figures"]["parameters"] == spec.derived.parameters
    code, out, _ = run("verify", folder, "--quick", columns=120)
    assert code == 3 and out.splitlines()[-1] == "2 checks of 15 failed: counts, on paper"


@pytest.mark.slow
def test_bad_folders_are_errors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match=r"nowhere: no spec\.yaml, so there is nothing to check; expected"):
        verify_model(tmp_path / "nowhere")
    assert run("verify", tmp_path)[0] == 1
    folder = folder_of(tmp_path, spec_of(STEM_2))
    text = (folder / "spec.yaml").read_text()
    (folder / "spec.yaml").write_text(text.replace("logit_stride:", "logit_strid:"))
    with pytest.raises(InputError, match="unknown field 'logit_strid'; meant 'logit_stride'"):
        verify_model(folder, quick=True)
    monkeypatch.setattr(verification, "has_torch", lambda: False)
    with pytest.raises(InputError, match=r"torch is not installed: pip install 'shapeprof\[torch\]'"):
        verify_model(folder)
    (folder / "verify.py").unlink()
    with pytest.raises(InputError, match=r"no verify\.py, so there is nothing to run"):
        verify_model(folder)


def test_a_script_that_dies_is_a_failed_check(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, spec_of(STEM_2))
    line = json.dumps({"name": "builds", "status": "passed", "message": "", "seconds": 0.0})
    (folder / "verify.py").write_text(f"import os\nprint({line!r}, flush=True)\nos.kill(os.getpid(), 9)\n")
    (failed,) = verify_model(folder, quick=True).failed
    assert failed.message == "ended after builds: killed, as systems do that run out of memory"
    (folder / "verify.py").write_text("raise RuntimeError('no such thing')\n")
    with pytest.raises(InputError, match="RuntimeError: no such thing"):
        verify_model(folder, quick=True)


@pytest.mark.slow
def test_a_mistake_in_the_users_own_network_is_told_with_its_place(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, spec_of(STEM_2))
    network = folder / "nn/network.py"
    lines = len(network.read_text().splitlines())
    network.write_text(f"{network.read_text()}raise SystemExit(3\n")
    code, _, err = run("verify", folder, "--quick")
    assert code == 1
    assert f'nn/network.py", line {lines + 1})' in err and "was never closed" in err and "Traceback" not in err


@pytest.mark.slow
def test_a_spec_of_another_network_family_is_checked_by_its_own_code(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, spec_of(STEM_2))
    spec = yaml.safe_load((folder / "spec.yaml").read_text())
    spec["mine"] = 1
    (folder / "spec.yaml").write_text(yaml.safe_dump(spec))
    known = (folder / "nn/kit/specfile.py").read_text()
    known = known.replace('"schema_version", "design"', '"schema_version", "mine", "design"')
    (folder / "nn/kit/specfile.py").write_text(known)
    result = verify_model(folder, quick=True)
    assert not result.failed and result.spec is None
    assert result.checks[-1].status == "skipped" and "mine" in result.checks[-1].message


@pytest.mark.slow
@pytest.mark.parametrize(
    ("statistic", "threshold", "status", "message"),
    [
        ("survival_linear(4)", 0.89, "failed", r"keeps \d+% of its area at stride 8 at best, on 4 masks \(89%"),
        ("recall_linear(4)", 0.95, "failed", "keeps 6% of its objects of 200 px or more at stride 8 at best"),
        ("survival_linear(4)", 0.01, "passed", "at stride 16"),
    ],
)
def test_logits_that_are_too_coarse_for_the_masks(
    statistic: str, threshold: float, status: str, message: str, tmp_path: Path
) -> None:
    spec = spec_of(NETWORKS["dilated to 8 with context"], rationale=(rule_r1(statistic, threshold),))
    folder = folder_of(tmp_path, spec, strips(4, 2))
    found, text = verification._detail(folder, spec, quick=False)
    assert found == status and re.search(message, text)


def test_detail_is_left_out_where_there_is_nothing_to_see(tmp_path: Path) -> None:
    spec = spec_of(STEM_2)
    folder = folder_of(tmp_path, spec)
    assert verification._detail(folder, spec, quick=False)[1].startswith("no rule chose the logit stride")
    spec = spec.model_copy(update={"rationale": (rule_r1("survival_linear(4)", 0.89),)})
    assert verification._detail(folder, spec, quick=False)[1].startswith("no dataset.csv")
    folder_of(tmp_path, spec, [np.zeros((40, 40), np.uint8)])
    assert verification._detail(folder, spec, quick=False) == ("skipped", "none of 48 masks holds class 1")
    (folder / "mask0.png").write_bytes(b"")
    with pytest.raises(InputError, match=r"mask0\.png: can't be read as an index mask"):
        verification._detail(folder, spec, quick=False)


def test_what_an_export_says() -> None:
    passed, skipped = Check("a", "passed", "fine", 1.2), Check("b", "skipped", "not in the quick part", 0.0)
    result = Verification(Path("my net"), True, (passed, skipped), {}, None)
    assert one_line(result) == "1 check passed in 1 s; not checked: b (shapeprof verify 'my net')"
    failing = Verification(Path("net"), True, (passed, Check("c", "failed", "7, expected 8", 0.1)), {}, None)
    assert one_line(failing) == "1 check of 2 failed: c. c: 7, expected 8"
    assert to_dict(failing)["passed"] is False


@pytest.mark.slow
def test_exports_are_checked_unless_told_otherwise(tmp_path: Path) -> None:
    write_set(tmp_path / "masks", discs(12, 14, per_image=9))
    code, out, err = run("export", "masks", "-o", "net", cwd=tmp_path)
    assert code == 0, err
    assert re.search(
        r"\d+ checks passed in \d+ s; not checked: data, rates, planned step, .*\(shapeprof verify net\)", out
    )
    code, out, _ = run("export", "masks", "-o", "net", "--json", "--no-verify", cwd=tmp_path)
    assert code == 0 and json.loads(out)["verification"] is None
    code, out, _ = run("export", "masks", "-o", "net", "--no-verify", cwd=tmp_path)
    assert "Nothing was checked (--no-verify)." in out
