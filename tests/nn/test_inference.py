"""Class maps of large and scaled images."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from shapeprof.nn import inference  # noqa: E402
from shapeprof.nn.inference import class_map  # noqa: E402


class Threshold(torch.nn.Module):
    """A network that sees single pixels: class 1 where the image is positive."""

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return torch.cat([-image, image], dim=1)


@pytest.mark.parametrize("size", [(100, 100), (333, 70), (65, 257), (64, 64)])
def test_tiles_cover_every_pixel_once(monkeypatch: pytest.MonkeyPatch, size: tuple[int, int]) -> None:
    monkeypatch.setattr(inference, "TILE", 64)
    monkeypatch.setattr(inference, "MARGIN", 8)
    image = torch.randn(1, *size)
    assert torch.equal(class_map(Threshold(), image), (image[0] > 0).long())  # type: ignore[arg-type]


@pytest.mark.parametrize("tile", [1536, 16])
def test_size_is_that_asked_for(monkeypatch: pytest.MonkeyPatch, tile: int) -> None:
    monkeypatch.setattr(inference, "TILE", tile)
    monkeypatch.setattr(inference, "MARGIN", 4)
    image = torch.full((1, 20, 30), -1.0)
    image[0, :10] = 1
    enlarged = class_map(Threshold(), image, (40, 60))  # type: ignore[arg-type]
    assert torch.equal(enlarged, (torch.arange(40) < 20).long()[:, None].expand(40, 60))
