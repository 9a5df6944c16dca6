"""Documents of panoptic segments that are damaged, gone, or of other masks."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from test_raster import panoptic
from written import look, save

from shapeprof.errors import InputError, UnreadableMask
from shapeprof.sources import read_mask


def rewrite(root: Path, **fields: object) -> None:
    path = root / "panoptic.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **fields}))


@pytest.mark.parametrize(
    "fields",
    [
        {"annotations": [{"file_name": "a.png", "segments_info": [{"id": "x", "category_id": 1}]}]},
        {"annotations": [{"file_name": "a.png", "segments_info": 3}]},
        {"categories": [{"id": 1}]},
    ],
)
def test_a_damaged_document_is_named_with_what_is_expected(tmp_path: Path, fields: dict[str, object]) -> None:
    panoptic(tmp_path)
    rewrite(tmp_path, **fields)
    with pytest.raises(InputError, match=r"panoptic\.json: its segments can't be read.*expected COCO's panoptic form"):
        look(tmp_path / "masks")


def test_a_document_of_other_masks_is_passed_over(tmp_path: Path) -> None:
    panoptic(tmp_path)
    rewrite(tmp_path, annotations=[{"file_name": "other.png", "segments_info": [{"id": 1, "category_id": 1}]}])
    assert look(tmp_path / "masks")[1].layout == "files"


def test_a_document_that_goes_away_makes_masks_unreadable(tmp_path: Path) -> None:
    panoptic(tmp_path)
    _, encoding = look(tmp_path / "masks")
    (tmp_path / "panoptic.json").unlink()
    with pytest.raises(UnreadableMask, match=r"its segments are listed in panoptic\.json, which can't be read"):
        read_mask(tmp_path / "masks", "a.png", encoding)


def test_grey_segment_ids_are_colours_with_equal_channels(tmp_path: Path) -> None:
    panoptic(tmp_path)
    _, encoding = look(tmp_path / "masks")
    grey = np.full((6, 8), 7, np.uint8)
    save(tmp_path / "masks" / "g.png", grey)
    annotation = {"file_name": "g.png", "segments_info": [{"id": 7 * 0x010101, "category_id": encoding.mapping[0][0]}]}
    document = json.loads((tmp_path / "panoptic.json").read_text())
    rewrite(tmp_path, annotations=[*document["annotations"], annotation])
    found, issues = read_mask(tmp_path / "masks", "g.png", encoding)
    assert (found.labels == 0).all() and not issues
    assert found.instances is not None and (found.instances == 7 * 0x010101).all()
