"""Exports: the spec, the data as the trainer reads it, and a training by the exported script itself."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml

from shapeprof.design.spec import parse_spec
from shapeprof.errors import InputError, NothingMeasurable, OutputError, PairingError, UsageError
from shapeprof.export.dataset import read_rgb
from shapeprof.export.export import MULTI_LABEL_CLASSES, Export, export_model
from shapeprof.recommend.recommend import recommend_design
from shapeprof.scan.options import ScanOptions
from shapeprof.scan.scan import kept_profile, scan_masks
from shapeprof.sources import ReadOptions

from .builders import discs, strips, write_set


def exported(
    root: Path, masks: list[np.ndarray], values: dict[int, int] | None = None, options: ScanOptions | None = None
) -> Export:
    """Scan and export ``masks``, whose class ids are stored as ``values``."""
    stored = [np.vectorize(values.get)(m).astype(np.uint8) for m in masks] if values else masks
    write_set(root / "masks", stored, images=root / "images")
    profile = scan_masks(root / "masks", options)
    return export_model(profile, recommend_design(profile), root / "net", images=root / "images")


def table(result: Export) -> list[dict[str, str]]:
    with (result.folder / "dataset.csv").open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.slow
def test_the_spec_is_complete_and_valid(tmp_path: Path) -> None:
    result = exported(tmp_path, discs(20, 14, per_image=9), {0: 0, 1: 255})
    data = yaml.safe_load((result.folder / "spec.yaml").read_text())
    assert parse_spec(data, "spec.yaml") == result.spec
    assert [(c.name, c.raw_values) for c in result.spec.classes] == [("background", (0,)), ("foreground", (255,))]
    assert sum(c.pixel_share for c in result.spec.classes) == pytest.approx(1)
    assert [r.rule for r in result.spec.rationale][:6] == ["R0", "R1", "R7", "R3", "R6", "R4"]
    assert result.spec.input.channels == 1  # the images are grey
    assert result.spec.provenance.images == 20


def test_masks_that_are_plain_index_png_stay_where_they_are(tmp_path: Path) -> None:
    result = exported(tmp_path, discs(20, 14, per_image=9))
    assert result.rewritten_masks == 0
    assert not (result.folder / "masks").exists()
    assert all(Path(row["mask"]).parent == tmp_path / "masks" for row in table(result))


@pytest.mark.slow
def test_other_masks_are_rewritten_as_index_png(tmp_path: Path) -> None:
    masks = discs(20, 14, per_image=9)
    for mask in masks:
        mask[200:, :40] = 2
        mask[:3] = 3
    result = exported(tmp_path, masks, {0: 0, 1: 30, 2: 60, 3: 255})
    assert result.rewritten_masks == 20
    for i, row in enumerate(sorted(table(result), key=lambda r: r["mask"])):
        written = cv2.imread(str(result.folder / row["mask"]), cv2.IMREAD_UNCHANGED)
        expected = np.where(masks[i] == 3, 255, masks[i])
        np.testing.assert_array_equal(written, expected)
        assert written.dtype == np.uint8


@pytest.mark.slow
def test_the_split_is_seeded_covers_a_fifth_and_repeats(tmp_path: Path) -> None:
    masks = discs(20, 14, per_image=9)
    first, second = exported(tmp_path / "a", masks), exported(tmp_path / "b", masks)
    assert (first.pairs, first.train, first.val) == (20, 16, 4)
    assert first.spec.split.source == "random"
    assert [r["split"] for r in table(first)] == [r["split"] for r in table(second)]


def test_existing_train_and_val_folders_are_honoured(tmp_path: Path) -> None:
    for part, n in (("train", 14), ("val", 3)):
        write_set(tmp_path / "masks" / part, discs(n, 14, per_image=9), images=tmp_path / "images" / part)
    profile = scan_masks(tmp_path / "masks")
    result = export_model(profile, recommend_design(profile), tmp_path / "net", images=tmp_path / "images")
    assert (result.train, result.val, result.spec.split.source) == (14, 3, "folders")
    assert all(f"/{row['split']}/" in row["mask"] for row in table(result))


def test_groups_stay_together(tmp_path: Path) -> None:
    for patient in range(8):
        for frame in range(3):
            mask = discs(1, 14, per_image=9, seed=patient)
            write_set(tmp_path / "masks", mask, f"_p{patient}_f{frame}.png", None)
            (tmp_path / "images").mkdir(exist_ok=True)
            cv2.imwrite(str(tmp_path / f"images/000_p{patient}_f{frame}.png"), mask[0] * 90)
    profile = scan_masks(tmp_path / "masks")
    result = export_model(
        profile, recommend_design(profile), tmp_path / "net", images=tmp_path / "images", group=r"_(p\d+)_"
    )
    splits: dict[str, set[str]] = {}
    for row in table(result):
        splits.setdefault(row["group"], set()).add(row["split"])
    assert len(splits) == 8 and all(len(s) == 1 for s in splits.values())
    assert result.val == 6


def test_without_images_everything_but_the_data_is_written(tmp_path: Path) -> None:
    write_set(tmp_path / "masks", discs(20, 14, per_image=9))
    profile = scan_masks(tmp_path / "masks")
    result = export_model(profile, recommend_design(profile), tmp_path / "net")
    assert "dataset.csv" not in result.files and not (tmp_path / "net/dataset.csv").exists()
    assert {"spec.yaml", "train.py", "nn/network.py", "README.md"} <= set(result.files)
    assert "--images" in result.missing[0]


def test_train_size_is_passed_on(tmp_path: Path) -> None:
    options = ScanOptions(ReadOptions(train_size=128))
    result = exported(tmp_path, discs(20, 30, per_image=4), options=options)
    assert result.spec.input.train_size == 128


@pytest.mark.slow
def test_an_earlier_export_is_written_over_and_anything_else_is_not(tmp_path: Path) -> None:
    masks = discs(20, 14, per_image=9)
    exported(tmp_path, masks)
    exported(tmp_path, masks)
    (tmp_path / "net/spec.yaml").unlink()
    with pytest.raises(OutputError, match="holds something else"):
        exported(tmp_path, masks)


@pytest.mark.slow
def test_what_users_changed_in_an_earlier_export_is_put_aside(tmp_path: Path) -> None:
    masks = discs(20, 14, per_image=9)
    out = exported(tmp_path, masks).folder
    assert not exported(tmp_path, masks).issues  # nothing was changed
    spec, network = out / "spec.yaml", out / "nn/network.py"
    for path in (spec, network):
        path.write_text(f"{path.read_text()}# mine\n")
    changed = spec.read_text()
    again = exported(tmp_path, masks)
    assert [i.code for i in again.issues] == ["export-replaced"]
    assert "spec.yaml, nn/network.py differed" in again.issues[0].message
    assert (out / "before-1/spec.yaml").read_text() == changed != spec.read_text()
    assert (out / "before-1/nn/network.py").read_text().endswith("# mine\n")
    spec.write_text("mine")
    exported(tmp_path, masks)
    assert (out / "before-2/spec.yaml").read_text() == "mine"
    assert sorted(p.name for p in out.glob("before-*")) == ["before-1", "before-2"]


def test_a_scan_without_objects_is_not_gone_on_from(tmp_path: Path) -> None:
    masks = write_set(tmp_path / "masks", discs(12, 14, per_image=9))
    with pytest.raises(NothingMeasurable):
        scan_masks(masks, ScanOptions(ReadOptions(ignore_index=(0, 1))))
    assert kept_profile(masks) is None


def test_one_class_alone_is_an_error(tmp_path: Path) -> None:
    masks = write_set(tmp_path / "masks", discs(12, 14, per_image=9))
    profile = scan_masks(masks)
    recommendation = recommend_design(profile)
    profile = replace(profile, names=("disc",), totals={}, background=None)
    with pytest.raises(UsageError, match=r"hold one class, .*, and no background: nothing to tell apart"):
        export_model(profile, recommendation, tmp_path / "net")


def test_images_that_do_not_match_are_an_error(tmp_path: Path) -> None:
    write_set(tmp_path / "masks", discs(20, 14, per_image=9))
    write_set(tmp_path / "images", discs(2, 14), "_of_something_else.png")
    profile = scan_masks(tmp_path / "masks")
    with pytest.raises(PairingError):
        export_model(profile, recommend_design(profile), tmp_path / "net", images=tmp_path / "images")


def test_an_image_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "x.jpg").write_text("no image")
    with pytest.raises(InputError, match=r"x\.jpg"):
        read_rgb(tmp_path / "x.jpg")


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_statistics_are_of_the_values_that_the_trainer_sees(tmp_path: Path, dtype: type[np.generic]) -> None:
    pytest.importorskip("torch")
    from shapeprof.nn.data import read_image

    top = np.iinfo(dtype).max
    rng = np.random.default_rng(0)
    path = tmp_path / "image.png"
    cv2.imwrite(str(path), rng.integers(0, top, (20, 30, 3), endpoint=True).astype(dtype))
    np.testing.assert_allclose(read_image(path, 3) / top, read_rgb(path), atol=1e-6)


@pytest.mark.slow
def test_the_exported_folder_trains_by_its_own_script(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    result = exported(tmp_path, [m[:96, :96] for m in discs(8, 14, per_image=9) + strips(4, 6)])
    command = [sys.executable, "train.py", "--steps", "4", "--batch", "2", "--crop", "64", "--workers", "0"]
    env = {**os.environ, "OMP_WAIT_POLICY": "PASSIVE"}
    env.pop("PYTHONPATH", None)
    done = subprocess.run(command, cwd=result.folder, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "12: 10 to train, 2 held out" in done.stdout
    run = result.folder / "runs/last"
    assert {"best.pt", "last.pt", "log.csv", "predictions.png"} <= {p.name for p in run.iterdir()}


def test_no_pair_that_can_be_trained_on_is_an_error(tmp_path: Path) -> None:
    masks = write_set(tmp_path / "masks", discs(6, 14), images=tmp_path / "images")
    for path in (tmp_path / "images").iterdir():
        cv2.imwrite(str(path), np.zeros((257, 256, 3), np.uint8))
    profile = scan_masks(masks)
    with pytest.raises(PairingError, match="6 pairs differ in size"):
        export_model(profile, recommend_design(profile), tmp_path / "net", images=tmp_path / "images")


# Multi-label --------------------------------------------------------------------------------


def overlapping(i: int, side: int = 96) -> dict[str, np.ndarray]:
    """A road, and on it a car that reaches beyond; every third image has no car."""
    road, car = np.zeros((side, side), np.uint8), np.zeros((side, side), np.uint8)
    road[30 + i : 60 + i] = 255
    car[50 + i : 74 + i, 20 + i : 44 + i] = 255
    return {"road": road, "car": car} if i % 3 else {"road": road}


def write_image(path: Path, masks: dict[str, np.ndarray]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(0).integers(0, 60, (96, 96, 3))
    for channel, name in enumerate(("road", "car")):
        noise[..., channel] += 150 * (masks.get(name, np.zeros((96, 96))) > 0)
    cv2.imwrite(str(path), noise.astype(np.uint8))


def files_per_class(root: Path) -> None:
    for i in range(9):
        for name, mask in overlapping(i).items():
            (root / "masks" / name).mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(root / "masks" / name / f"{i}.png"), mask)
        write_image(root / "images" / f"{i}.png", overlapping(i))


def pages_per_class(root: Path) -> None:
    (root / "masks").mkdir(parents=True)
    for i in range(9):
        masks = overlapping(i)
        pages = [masks.get("car", np.zeros((96, 96), np.uint8)), masks["road"]]
        assert cv2.imwritemulti(str(root / "masks" / f"{i}.tif"), pages)
        write_image(root / "images" / f"{i}.png", masks)


def annotations(root: Path) -> None:
    """COCO: rectangles, and a crowd of cars in a corner, which is ignored."""
    (root / "masks").mkdir(parents=True)
    images, regions = [], []
    for i in range(9):
        images.append({"id": i, "file_name": f"{i}.png", "height": 96, "width": 96})
        for name, mask in sorted(overlapping(i).items()):
            rows, columns = np.nonzero(mask)
            box = (rows.min(), columns.min(), rows.max() + 1, columns.max() + 1)
            regions.append((i, {"car": 1, "road": 2}[name], box, 0))
        regions.append((i, 1, (0, 0, 8, 8), 1))
    listed = [
        {
            "id": number,
            "image_id": image,
            "category_id": category,
            "iscrowd": crowd,
            "segmentation": [[float(n) for n in (left, top, right, top, right, bottom, left, bottom)]],
        }
        for number, (image, category, (top, left, bottom, right), crowd) in enumerate(regions, start=1)
    ]
    categories = [{"id": 1, "name": "car"}, {"id": 2, "name": "road"}]
    document = {"images": images, "annotations": listed, "categories": categories}
    (root / "masks" / "labels.json").write_text(json.dumps(document))
    for i in range(9):
        write_image(root / "images" / f"{i}.png", overlapping(i))


def exported_as(root: Path, *, multi_label: bool, options: ReadOptions | None = None) -> Export:
    profile = scan_masks(root / "masks", ScanOptions(options) if options else None)
    recommendation = recommend_design(profile)
    images = root / "images"
    return export_model(profile, recommendation, root / "net", images=images, multi_label=multi_label)


LAYOUTS = {"files": files_per_class, "pages": pages_per_class, "annotations": annotations}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_multi_label_masks_keep_what_overlaps(tmp_path: Path, layout: str) -> None:
    LAYOUTS[layout](tmp_path)
    result = exported_as(tmp_path, multi_label=True)
    names = ["page 0", "page 1"] if layout == "pages" else ["car", "road"]
    assert (result.spec.task, result.spec.background) == ("multi-label", None)
    assert [c.name for c in result.spec.classes] == names
    assert result.rewritten_masks == result.pairs == 9
    assert "classes-overlap" not in {issue.code for issue in result.issues}
    pixels = np.zeros(2)
    for row in table(result):
        written = cv2.imread(str(result.folder / row["mask"]), cv2.IMREAD_UNCHANGED)
        masks = overlapping(int(Path(row["mask"]).stem))
        expected = 1 * (masks.get("car", np.zeros((96, 96))) > 0) + 2 * (masks["road"] > 0)
        pixels += (expected & 1).sum(), (expected & 2).sum() / 2
        if layout == "annotations":
            expected[:8, :8] = 255
        np.testing.assert_array_equal(written, expected)
        assert written.dtype == np.uint8
    if layout != "annotations":  # of which a profile counts what is seen, the smaller object above
        shares = [c.pixel_share for c in result.spec.classes]
        assert shares == pytest.approx(list(pixels / (9 * 96 * 96)), rel=1e-6)


def test_without_the_option_classes_are_joined_and_the_finding_names_it(tmp_path: Path) -> None:
    files_per_class(tmp_path)
    result = exported_as(tmp_path, multi_label=False)
    assert (result.spec.task, result.spec.background, len(result.spec.classes)) == ("multi-class", 0, 3)
    found = [issue.message for issue in result.issues if issue.code == "classes-overlap"]
    assert len(found) == 6 and all("(--multi-label keeps both)" in message for message in found)


def test_classes_taken_together_are_one_bit(tmp_path: Path) -> None:
    files_per_class(tmp_path)
    for i in range(9):
        bus = np.zeros((96, 96), np.uint8)
        bus[80:90, 60:90] = 255
        (tmp_path / "masks/bus").mkdir(exist_ok=True)
        cv2.imwrite(str(tmp_path / "masks/bus" / f"{i}.png"), bus)
    result = exported_as(tmp_path, multi_label=True, options=ReadOptions(merge=("car,bus=vehicle",)))
    assert [c.name for c in result.spec.classes] == ["vehicle", "road"]
    row = next(row for row in table(result) if row["mask"].endswith("1.png"))
    written = cv2.imread(str(result.folder / row["mask"]), cv2.IMREAD_UNCHANGED)
    expected = 1 * (overlapping(1)["car"] > 0) + 2 * (overlapping(1)["road"] > 0)
    expected[80:90, 60:90] |= 1
    np.testing.assert_array_equal(written, expected)


def test_many_classes_need_wide_bit_fields_and_too_many_are_refused(tmp_path: Path) -> None:
    for i in range(3):
        for c in range(16):
            mask = np.zeros((64, 64), np.uint8)
            mask[2 * c : 2 * c + 30, 3 * i : 3 * i + 40] = 255
            (tmp_path / f"masks/class{'abcdefghijklmnop'[c]}").mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(tmp_path / f"masks/class{'abcdefghijklmnop'[c]}/{i}.png"), mask)
        (tmp_path / "images").mkdir(exist_ok=True)
        cv2.imwrite(str(tmp_path / f"images/{i}.png"), np.full((64, 64, 3), 9, np.uint8))
    asked = ReadOptions(layout="classes")
    with pytest.raises(UsageError, match=r"--multi-label: 16 classes; its masks hold 15 at most.*--merge-classes"):
        exported_as(tmp_path, multi_label=True, options=asked)
    fewer = ReadOptions(layout="classes", exclude=("classp",))
    result = exported_as(tmp_path, multi_label=True, options=fewer)
    written = cv2.imread(str(result.folder / table(result)[0]["mask"]), cv2.IMREAD_UNCHANGED)
    assert written is not None and written.dtype == np.uint16
    assert (written[29, 39] == 2**15 - 1) and written[0, 10] == 1 and written[63, 63] == 0


def test_the_limit_of_classes_is_that_of_the_trainer() -> None:
    pytest.importorskip("torch")
    from shapeprof.nn.data import BITS

    assert MULTI_LABEL_CLASSES == BITS


def test_masks_of_one_class_a_pixel_cannot_be_multi_label(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"--multi-label: these masks \(binary\) hold one class a pixel.*annotations"):
        write_set(tmp_path / "masks", discs(12, 14, per_image=4), images=tmp_path / "images")
        exported_as(tmp_path, multi_label=True)
    assert not (tmp_path / "net").exists()
    annotations(tmp_path / "other")
    with pytest.raises(UsageError, match=r"without --background none"):
        exported_as(tmp_path / "other", multi_label=True, options=ReadOptions(background=None))


@pytest.mark.slow
def test_a_multi_label_export_trains_and_predicts_by_its_own_scripts(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    files_per_class(tmp_path)
    result = exported_as(tmp_path, multi_label=True)

    def run(*command: str) -> str:
        env = {**os.environ, "OMP_WAIT_POLICY": "PASSIVE", "OMP_NUM_THREADS": "1"}
        env.pop("PYTHONPATH", None)
        done = subprocess.run(
            [sys.executable, *command], cwd=result.folder, env=env, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    said = run("train.py", "--steps", "4", "--batch", "2", "--crop", "64", "--workers", "0", "--device", "cpu")
    assert "classes  car, road" in said and "background" not in said
    run("predict.py", str(tmp_path / "images/1.png"), "--device", "cpu", "--window", "64")
    written = cv2.imread(str(result.folder / "predictions/1.png"), cv2.IMREAD_UNCHANGED)
    assert written is not None and written.shape == (96, 96) and written.max() <= 3
    assert (result.folder / "predictions/1_overlay.png").is_file()
