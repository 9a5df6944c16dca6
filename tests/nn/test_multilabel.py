"""Classes that overlap, from files of bit fields to predicted ones: trained, scored, drawn and written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")

import cv2  # noqa: E402
import numpy as np  # noqa: E402
import yaml  # noqa: E402

from shapeprof.design.spec import ClassSpec, DecoderSpec, EncoderSpec, HeadSpec, ModelSpec, NetworkSpec  # noqa: E402
from shapeprof.nn import predict  # noqa: E402
from shapeprof.nn.data import Crops, Pair, pack_bits, unpack_bits  # noqa: E402
from shapeprof.nn.kit.checkpoint import save  # noqa: E402
from shapeprof.nn.kit.evaluation import draw_predictions, evaluate, score_table, shape_scores, shape_table  # noqa: E402
from shapeprof.nn.kit.figure import BACKGROUND, IGNORED, paint, palette  # noqa: E402
from shapeprof.nn.losses import loss_of  # noqa: E402
from shapeprof.nn.network import SegmentationNetwork, build  # noqa: E402

from .designs import model_spec  # noqa: E402

NETWORK = NetworkSpec(
    encoder=EncoderSpec(blocks=(1, 1), widths=(8, 16), stem_stride=2, output_stride=8),
    decoder=DecoderSpec(logit_stride=2, skip_strides=(2, 4), channels=8),
    deep_supervision=(HeadSpec(stride=4),),
)


def spec(loss: str = "ce+dice") -> ModelSpec:
    """Two classes: a disc, which is red, and a square, which is green."""
    classes = (ClassSpec(id=0, name="disc", pixel_share=0.2), ClassSpec(id=1, name="square", pixel_share=0.2))
    made = model_spec(NETWORK, loss=loss, crop=(48, 48), batch=4)
    return ModelSpec.model_validate(
        {**made.model_dump(), "task": "multi-label", "background": None, "classes": classes}
    )


def members_of(i: int, side: int = 64) -> np.ndarray:
    """(2, side, side): a disc and a square that overlap."""
    rng = np.random.default_rng(i)
    rows, columns = np.mgrid[:side, :side]
    y, x = rng.integers(20, side - 20, 2)
    disc = (rows - y) ** 2 + (columns - x) ** 2 < 14**2
    square = (abs(rows - y - 8) < 11) & (abs(columns - x) < 11)
    assert (disc & square).any()
    return np.stack([disc, square])


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> list[Pair]:
    folder, made = tmp_path_factory.mktemp("pairs"), []
    for i in range(8):
        members = members_of(i)
        image = np.random.default_rng(i).integers(0, 80, (64, 64, 3), np.uint8)
        image[..., :2] += 120 * members.transpose(1, 2, 0).astype(np.uint8)  # RGB
        bits = pack_bits(members)
        bits[:4] = 255
        image_path, mask = folder / f"image{i}.png", folder / f"mask{i}.png"
        cv2.imwrite(str(image_path), image[:, :, ::-1])
        cv2.imwrite(str(mask), bits)
        made.append(Pair(image_path, mask, "train" if i < 6 else "val", ""))
    return made


def trained(pairs: list[Pair], made: dict[str, Any], steps: int) -> tuple[SegmentationNetwork, list[float]]:
    torch.manual_seed(0)
    network, loss = build(made).train(), loss_of(made)
    crops = Crops(pairs[:6], made, crop=(48, 48), count=4 * steps, seed=0)
    optimiser = torch.optim.AdamW(network.parameters(), lr=1e-2)
    losses = []
    for images, targets in torch.utils.data.DataLoader(crops, batch_size=4):
        value = loss(network(images), targets)
        optimiser.zero_grad()
        value.backward()
        optimiser.step()
        losses.append(float(value.detach()))
    return network, losses


@pytest.fixture(scope="module")
def network(pairs: list[Pair]) -> SegmentationNetwork:
    return trained(pairs, spec().to_dict(), steps=40)[0]


def test_both_classes_are_learnt_where_they_overlap(network: SegmentationNetwork, pairs: list[Pair]) -> None:
    made = spec().to_dict()
    matrix = evaluate(network, pairs[6:], made)
    assert float(matrix.iou().min()) > 0.75
    assert matrix.counts.shape == (2, 2, 2) and int(matrix.counts.sum()) == 2 * 2 * 60 * 64
    overlap = sum(int(members_of(i)[:, 4:].all(axis=0).sum()) for i in (6, 7))
    assert matrix.truth().sum() - sum(members_of(i)[:, 4:].any(axis=0).sum() for i in (6, 7)) == overlap > 100
    assert network.training  # as it was


@pytest.mark.slow
@pytest.mark.parametrize("loss", ["weighted-ce", "focal", "ohem", "tversky", "ce+cldice"])
def test_every_term_trains(pairs: list[Pair], loss: str) -> None:
    _, losses = trained(pairs, spec(loss).to_dict(), steps=12)
    assert np.isfinite(losses).all()
    assert np.mean(losses[-3:]) < 0.9 * np.mean(losses[:3])


def test_windows_score_as_the_whole_image_does(network: SegmentationNetwork, pairs: list[Pair]) -> None:
    made = spec().to_dict()
    large = {**made, "input": {**made["input"], "train_size": 192}}
    one, many = (evaluate(network, pairs[6:], large, window=side).counts for side in (1536, 128))
    assert one.sum() == many.sum() == 2 * 2 * 60 * 64
    assert (one - many).abs().sum() < 0.01 * one.sum()


def test_tables_and_picture(network: SegmentationNetwork, pairs: list[Pair], tmp_path: Path) -> None:
    made = spec().to_dict()
    matrix = evaluate(network, pairs[6:], made)
    lines = score_table(matrix, made).splitlines()
    assert [line.split()[0] for line in lines] == ["class", "disc", "square", "mean"]  # there is no background
    assert int(lines[1].split()[-1]) == sum(members_of(i)[0, 4:].sum() for i in (6, 7))
    assert lines[1].split()[2] == "0.000"  # the majority is without a disc
    shapes = shape_table(shape_scores(network, pairs[6:], made), matrix, made).splitlines()
    assert [line.split()[0] for line in shapes[1:3]] == ["disc", "square"]
    assert all(0 < float(n) <= 1 for line in shapes[1:3] for n in line.split()[1:4])
    draw_predictions(tmp_path / "p.png", network, pairs[6:], made)
    picture = cv2.imread(str(tmp_path / "p.png"))
    assert picture is not None
    mixed = palette(2, None).astype(int).mean(axis=0).astype(np.uint8)
    assert (picture == mixed[::-1]).all(axis=2).sum() > 1000  # where both are


def test_colours_of_several_classes_mix() -> None:
    colours = np.array([[200, 0, 0], [0, 100, 0]], np.uint8)
    labels = np.array([[[1, 1, 0, 255]], [[0, 1, 0, 255]]], np.uint8)
    assert paint(labels, colours)[0].tolist() == [[200, 0, 0], [100, 50, 0], [*BACKGROUND], [*IGNORED]]
    assert (paint(labels[..., :3].astype(bool), colours) == paint(labels[..., :3], colours)).all()


def test_predictions_are_bit_fields_with_an_overlay(
    network: SegmentationNetwork, pairs: list[Pair], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = spec().to_dict()
    (tmp_path / "spec.yaml").write_text(yaml.safe_dump(made))
    save(tmp_path / "best.pt", network, made, step=1, miou=0.5)
    options = ["--weights", str(tmp_path / "best.pt"), "--out", str(tmp_path / "out"), "--device", "cpu"]
    assert predict.main([str(pairs[7].image), *options], tmp_path) == 0
    assert "classes disc, square" in capsys.readouterr().out
    written = cv2.imread(str(tmp_path / "out/image7.png"), cv2.IMREAD_UNCHANGED)
    assert written is not None and written.dtype == np.uint8 and written.max() == 3
    members = unpack_bits(written.astype(np.int32), 2, 255) == 1
    truth = members_of(7)
    assert ((members & truth).sum(axis=(1, 2)) / (members | truth).sum(axis=(1, 2)) > 0.7).all()
    image = cv2.imread(str(pairs[7].image))
    overlay = cv2.imread(str(tmp_path / "out/image7_overlay.png"))
    assert image is not None and overlay is not None
    bare = ~members.any(axis=0)
    assert (overlay[bare] == image[bare]).all() and (overlay[~bare] != image[~bare]).any(axis=1).all()

    assert predict.main([str(pairs[7].image), *options, "--window", "64"], tmp_path) == 0
    assert predict.main([str(pairs[7].image), *options, "--window", "63"], tmp_path) == 1
    assert "error: --window 63: expected 64 px or more" in capsys.readouterr().err
