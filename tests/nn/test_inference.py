"""Class maps of large and scaled images."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from shapeprof.design.spec import DecoderSpec, EncoderSpec, NetworkSpec  # noqa: E402
from shapeprof.nn.kit import inference  # noqa: E402
from shapeprof.nn.kit.inference import class_map  # noqa: E402
from shapeprof.nn.network import build  # noqa: E402

from .designs import model_spec  # noqa: E402


class Threshold(torch.nn.Module):
    """A network that sees single pixels: class 1 where the image is positive."""

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return torch.cat([-image, image], dim=1)


class Sum(torch.nn.Module):
    """A network that sees ``radius`` px around: the sum of a square, exact in float64 of whole numbers."""

    def __init__(self, radius: int) -> None:
        super().__init__()
        self.radius = radius

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        side = 2 * self.radius + 1
        line, radius = torch.ones(1, 1, side, 1, dtype=torch.float64), self.radius
        total = torch.nn.functional.conv2d(image.double(), line, padding=(radius, 0))
        total = torch.nn.functional.conv2d(total, line.mT, padding=(0, radius))
        return torch.cat([-total, total], dim=1)


class Position(torch.nn.Module):
    """A network whose logits are where a pixel lies in its window: what blending must hide."""

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        rows, columns = (torch.arange(n, dtype=torch.float32) for n in image.shape[-2:])
        return torch.stack([rows[:, None] + 0 * columns, columns + 0 * rows[:, None]])[None]


SIZES = [(100, 100), (333, 70), (65, 257), (64, 64), (1, 200)]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("overlap", [None, 0, 32])
def test_windows_cover_every_pixel(size: tuple[int, int], overlap: int | None) -> None:
    image = torch.randn(1, *size)
    found = class_map(Threshold(), image, window=64, overlap=overlap)  # type: ignore[arg-type]
    assert torch.equal(found, (image[0] > 0).long())
    labels = class_map(Threshold(), image, window=64, overlap=overlap, multi_label=True)  # type: ignore[arg-type]
    assert torch.equal(labels, torch.stack([image[0] < 0, image[0] > 0]))


@pytest.mark.parametrize("size", [*SIZES, (129, 400)])
def test_weights_add_up_to_one(size: tuple[int, int]) -> None:
    for window, overlap in ((64, 32), (64, 0), (192, 64), (192, 96)):
        for length in size:
            total = torch.zeros(length)
            for start in inference._starts(length, window, overlap):
                width = min(window, length - start)
                total[start : start + width] += inference._weights(start, width, length, overlap)
            torch.testing.assert_close(total, torch.ones(length))


@pytest.mark.parametrize("size", [(300, 500), (129, 257), (640, 130)])
def test_windows_are_the_whole_image_where_the_margin_holds_the_receptive_field(size: tuple[int, int]) -> None:
    """Windows of 128 px that share 64: the outer 16 px are dropped. A field of 16 px around sees no edge."""
    image = torch.randint(-3, 4, (1, *size))
    for radius, same in ((16, True), (24, False)):
        network = Sum(radius)
        whole = network(image[None])[0]
        with torch.inference_mode():
            bands = list(inference._bands(network, image, 128, 64))  # type: ignore[arg-type]
        found = torch.cat(bands, dim=1)
        assert found.shape == whole.shape
        rows, columns = (_decided_alone(n) for n in size)
        core = rows[:, None] & columns
        assert core.any() and torch.equal(found[:, core], whole[:, core].float())  # to the last bit
        assert torch.allclose(found, whole.float(), rtol=1e-5, atol=1e-3) == same


def _decided_alone(length: int) -> torch.Tensor:
    """Pixels of an axis that windows of 128 px, sharing 64, leave to one of them: in no half of an overlap."""
    alone = torch.ones(length, dtype=torch.bool)
    for start in range(64, max(1, length - 64), 64):
        alone[start + 16 : start + 48] = False
    return alone


def test_blending_leaves_no_step() -> None:
    """Logits that differ by 128 between neighbours change by 128 / 32 - 1 a pixel at most, not at once."""
    with torch.inference_mode():
        bands = list(inference._bands(Position(), torch.zeros(1, 500, 400), 192, 64))  # type: ignore[arg-type]
    logits = torch.cat(bands, dim=1)
    assert float(logits[0, 1:].sub(logits[0, :-1]).abs().max()) < 3.1
    assert float(logits[1, :, 1:].sub(logits[1, :, :-1]).abs().max()) < 3.1


def test_a_network_predicts_in_windows_what_it_predicts_at_once() -> None:
    """Batch norm, stride 4, a skip: its receptive field is within the margin of 64 px; windows lie on its grid."""
    torch.manual_seed(0)
    encoder = EncoderSpec(blocks=(1, 1), widths=(4, 4), stem_stride=2, output_stride=8)
    decoder = DecoderSpec(logit_stride=4, skip_strides=(4,), channels=4)
    network = build(model_spec(NetworkSpec(encoder=encoder, decoder=decoder)).to_dict()).eval()
    torch.nn.init.normal_(network.head[-1].weight)
    image = torch.randn(3, 700, 530)
    with torch.inference_mode():
        whole = network(image[None])[0]
        bands = torch.cat(list(inference._bands(network, image, 512, 256)), dim=1)
    torch.testing.assert_close(bands, whole, atol=1e-4, rtol=1e-4)
    assert len(torch.unique(whole.argmax(0))) > 1


@pytest.mark.parametrize("window", [1536, 64])
@pytest.mark.parametrize("multi_label", [False, True])
def test_size_is_that_asked_for(window: int, multi_label: bool) -> None:
    image = torch.full((1, 80, 120), -1.0)
    image[0, :40] = 1
    found = class_map(Threshold(), image, (160, 240), window=window, multi_label=multi_label)  # type: ignore[arg-type]
    upper = (torch.arange(160) < 80)[:, None].expand(160, 240)
    assert torch.equal(found, torch.stack([~upper, upper]) if multi_label else upper.long())


@pytest.mark.parametrize(("window", "overlap"), [(63, None), (128, 65), (128, -40)])
def test_impossible_windows_are_refused(window: int, overlap: int | None) -> None:
    with pytest.raises(ValueError, match="expected 64 px or more"):
        class_map(Threshold(), torch.zeros(1, 9, 9), window=window, overlap=overlap)  # type: ignore[arg-type]
