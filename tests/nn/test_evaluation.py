"""Scores of whole images, at the size of their masks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")

import cv2  # noqa: E402
import numpy as np  # noqa: E402

from shapeprof.nn.data import Pair  # noqa: E402
from shapeprof.nn.kit.evaluation import class_names, draw_predictions, evaluate, score_table, shape_scores  # noqa: E402
from shapeprof.nn.kit.figure import IGNORED, paint, palette  # noqa: E402

from .designs import NETWORKS, model_spec  # noqa: E402


class Red(torch.nn.Module):
    """Class 1 where the image's first channel is bright, else class 0; never class 2."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = torch.nn.Parameter(torch.ones(1))

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        red = self.scale * image[:, :1]
        return torch.cat([-red, red, torch.full_like(red, -9.0)], dim=1)


@pytest.fixture
def pairs(tmp_path: Path) -> list[Pair]:
    """Masks whose class 1 is red in the image; the last row is to ignore."""
    made = []
    for i, size in enumerate([(40, 60), (33, 21), (80, 50)]):
        mask = np.zeros(size, np.uint8)
        mask[: size[0] // 2] = 1
        image = np.zeros((*size, 3), np.uint8)
        image[..., 2] = 255 * mask
        mask[-1] = 255
        for name, pixels in (("i", image), ("m", mask)):
            cv2.imwrite(str(tmp_path / f"{name}{i}.png"), pixels)
        made.append(Pair(tmp_path / f"i{i}.png", tmp_path / f"m{i}.png", "val", ""))
    return made


def spec(train_size: int | None = None) -> dict[str, Any]:
    made = model_spec(NETWORKS["plain"]).to_dict()
    made["input"]["train_size"] = train_size
    return made


@pytest.mark.parametrize(("train_size", "least"), [(None, 1.0), (20, 0.9)])
def test_masks_are_scored_at_their_own_size(pairs: list[Pair], train_size: int | None, least: float) -> None:
    network = Red().train()
    matrix = evaluate(network, pairs, spec(train_size))  # type: ignore[arg-type]
    assert network.training  # as it was
    assert int(matrix.counts.sum()) == 39 * 60 + 32 * 21 + 79 * 50
    assert matrix.miou() >= least


def test_windows_score_every_pixel_once(pairs: list[Pair]) -> None:
    whole, windows = (evaluate(Red(), pairs, spec(), window=side) for side in (1536, 64))  # type: ignore[arg-type]
    assert torch.equal(whole.counts, windows.counts)
    shapes = [shape_scores(Red(), pairs, spec(), window=side) for side in (1536, 64)]  # type: ignore[arg-type]
    assert (shapes[0].boundary == shapes[1].boundary).all() and shapes[0].boundary.any()


def test_table_shows_the_majority_beside_the_score(pairs: list[Pair]) -> None:
    lines = score_table(evaluate(Red(), pairs, spec()), spec()).splitlines()  # type: ignore[arg-type]
    assert [line.split()[-3:] for line in lines[1:3]] == [["1.000", "0.000", "3426"], ["1.000", "0.508", "3536"]]
    assert lines[3].split()[-3:-1] == ["absent", "absent"]
    assert lines[-1].split() == ["foreground", "1.000"]


def test_names_are_fit_to_print() -> None:
    assert class_names({"classes": [{"name": "a\n\x1b[31mü"}, {"name": 7}]}) == ["a  [31mü", "7"]


def test_picture(pairs: list[Pair], tmp_path: Path) -> None:
    draw_predictions(tmp_path / "p.png", Red(), pairs, spec())  # type: ignore[arg-type]
    picture = cv2.imread(str(tmp_path / "p.png"))
    assert picture is not None
    assert picture.shape[0] > 3 * 200


def test_colours_differ_and_ignored_pixels_are_grey() -> None:
    colours = palette(20, background=0)
    assert len(np.unique(colours, axis=0)) == 20
    painted = paint(np.array([[0, 19, 255, 65535]]), colours)
    assert painted[0].tolist() == [colours[0].tolist(), colours[19].tolist(), [*IGNORED], [*IGNORED]]
