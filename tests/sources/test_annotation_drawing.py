"""The one rule by which outlines become pixels, against brute force in fractions."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools import mask as coco_mask

from shapeprof.sources.annotations.model import BAD_RLE, BadShape, Bitmap, Ellipse, Polygon, Region, RunLength, Shape
from shapeprof.sources.reading import drawing
from shapeprof.sources.reading.drawing import COVERED, OUTSIDE, draw, rasterise

SIZE = (9, 12)
Ring = list[tuple[float, float]]


def ring(*points: tuple[float, float]) -> np.ndarray:
    return np.array(points, np.float64)


def painted(shape: Shape, size: tuple[int, int] = SIZE) -> np.ndarray:
    """A shape on the whole image."""
    pixels, row, column = rasterise(shape, size)
    whole = np.zeros(size, np.bool_)
    whole[row : row + pixels.shape[0], column : column + pixels.shape[1]] = pixels
    return whole


def inside(points: Ring, x: Fraction, y: Fraction) -> bool:
    """Even-odd with a ray to the left; an edge owns its upper end and what lies right of it."""
    odd = False
    for (x0, y0), (x1, y1) in zip(points, points[1:] + points[:1], strict=True):
        ax, ay, bx, by = (Fraction(v) for v in (x0, y0, x1, y1))
        if (ay <= y) != (by <= y):
            odd ^= ax + (y - ay) * (bx - ax) / (by - ay) <= x
    return odd


def brute(points: Ring, size: tuple[int, int] = SIZE) -> np.ndarray:
    half = Fraction(1, 2)
    return np.array([[inside(points, c + half, r + half) for c in range(size[1])] for r in range(size[0])])


coordinates = st.integers(-24, 120).map(lambda n: n / 8)  # in eighths, so that centres and outlines meet
rings = st.lists(st.tuples(coordinates, coordinates), min_size=3, max_size=9)


@pytest.mark.slow
@given(rings)
@settings(deadline=None, max_examples=400)
def test_a_ring_is_even_odd_at_pixel_centres(points: Ring) -> None:
    assert (painted(Polygon((ring(*points),))) == brute(points)).all()


@pytest.mark.slow
@given(st.lists(rings, min_size=2, max_size=3))
@settings(deadline=None, max_examples=100)
def test_the_rings_of_an_object_are_united(several: list[Ring]) -> None:
    expected = np.any([brute(points) for points in several], axis=0)
    assert (painted(Polygon(tuple(ring(*points) for points in several))) == expected).all()


@pytest.mark.slow
@given(st.lists(st.tuples(coordinates, coordinates), min_size=5, max_size=5))
@settings(deadline=None, max_examples=200)
def test_triangles_that_share_an_edge_share_no_pixel(points: Ring) -> None:
    """The fan around any point has as many layers over a pixel as the ring winds, so parities agree."""
    fan = [Polygon((ring(points[0], a, b),)) for a, b in pairwise(points[1:])]
    layers = np.sum([painted(part) for part in fan], axis=0)
    assert ((layers % 2 == 1) == painted(Polygon((ring(*points),)))).all()


def test_about_as_pycocotools_draws_polygons() -> None:
    """It draws at five times the size and thins that out: a pixel differs here and there, the area does not."""
    rng = np.random.default_rng(0)
    ratios, more = [], []
    for _ in range(200):
        radius, angle = rng.uniform(20, 45, 9), np.sort(rng.uniform(0, 2 * np.pi, 9))
        points = 50 + radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
        (theirs,) = coco_mask.frPyObjects([points.ravel().tolist()], 100, 100)
        expected, found = coco_mask.decode(theirs) > 0, painted(Polygon((points,)), (100, 100))
        ratios.append((expected & found).sum() / (expected | found).sum())
        more.append(found.sum() / expected.sum() - 1)
    assert min(ratios) > 0.95 and np.mean(ratios) > 0.99
    assert abs(np.mean(more)) < 0.001  # neither grown nor shrunk


def test_known_pixels() -> None:
    square = painted(Polygon((ring((2, 1), (5, 1), (5, 4), (2, 4)),)))
    assert square.sum() == 9 and square[1:4, 2:5].all()  # a square of 3 px is 9 pixels
    assert painted(Polygon((ring((2.5, 1.5), (5.5, 1.5), (5.5, 4.5), (2.5, 4.5)),))).sum() == 9  # also between
    bow = painted(Polygon((ring((0, 0), (8, 8), (8, 0), (0, 8)),)))
    assert bow[4, 1] and bow[4, 6] and not bow[1, 4] and not bow[6, 4]  # left and right of the crossing
    hole = ring((0, 0), (9, 0), (9, 9), (0, 9), (0, 0), (3, 3), (3, 6), (6, 6), (6, 3), (3, 3))
    assert painted(Polygon((hole,))).sum() == 72  # a hole in one ring stays one
    assert painted(Polygon((hole, ring((3, 3), (6, 3), (6, 6), (3, 6))))).sum() == 81  # a ring of its own fills it


def test_outlines_of_any_length_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    points = [(float(x), float(y)) for x in range(12) for y in ((0, 9) if x % 2 else (9, 0))]
    whole = painted(Polygon((ring(*points),)))
    monkeypatch.setattr(drawing, "AT_ONCE", 7)
    assert (painted(Polygon((ring(*points),))) == whole).all()
    assert (whole == brute(points)).all()


@pytest.mark.parametrize("far", [1e3, 1e6, 2.0**29])
def test_what_lies_beyond_the_image_is_cut(far: float) -> None:
    assert painted(Polygon((ring((-far, -far), (far, -far), (far, far), (-far, far)),))).all()
    assert not painted(Polygon((ring((far, far), (2 * far, far), (2 * far, 2 * far)),))).any()
    assert not painted(Polygon((ring((-far, -far), (-1, -far), (-1, -1)),))).any()


@pytest.mark.parametrize(("rx", "ry", "angle"), [(3, 3, 0.0), (4, 2, 0.0), (4, 2, 0.7), (2.5, 4, -1.2)])
def test_ellipses_hold_the_centres_inside(rx: float, ry: float, angle: float) -> None:
    y, x = np.mgrid[: SIZE[0], : SIZE[1]] + 0.5
    turned = (x - 5 + 1j * (y - 4)) * np.exp(-1j * angle)
    expected = (turned.real / rx) ** 2 + (turned.imag / ry) ** 2 <= 1
    assert (painted(Ellipse(5, 4, rx, ry, angle)) == expected).all()
    assert not painted(Ellipse(5, 4, 0, 3)).any()


def test_bitmaps_are_cut_at_the_border() -> None:
    ones = np.ones((3, 4), np.bool_)
    assert painted(Bitmap(ones, 2, 3))[2:5, 3:7].all()
    assert painted(Bitmap(ones, -1, -2)).sum() == 4
    assert painted(Bitmap(ones, 8, 11)).sum() == 1
    assert not painted(Bitmap(ones, 90, -90)).any()


@given(st.integers(0, 2**32 - 1), st.booleans())
@settings(deadline=None, max_examples=100)
def test_both_kinds_of_run_length_encoding(seed: int, compressed: bool) -> None:
    rng = np.random.default_rng(seed)
    expected = rng.random(SIZE) < rng.random()
    if compressed:
        counts = coco_mask.encode(np.asfortranarray(expected.astype(np.uint8)))["counts"]
        assert sum(drawing.compressed_counts(counts) or ()) == expected.size
        found = painted(RunLength(counts, SIZE))
    else:
        flat = np.concatenate([[False], expected.T.ravel()])
        starts = np.flatnonzero(np.diff(flat))
        found = painted(RunLength(tuple(np.diff([0, *starts, expected.size]).tolist()), SIZE))
    assert (found == expected).all()


@pytest.mark.parametrize(
    "counts", [b"", b"5", b"o", b"\x20", b"ooooooooo0", (), (107,), (-1, 109), (10, 2**40), (109,), b"`c0"]
)
def test_run_lengths_that_do_not_fill_the_image_are_refused(counts: bytes | tuple[int, ...]) -> None:
    """pycocotools 2.0.11 fills what they do not reach with whatever the memory held."""
    with pytest.raises(BadShape, match=BAD_RLE):
        rasterise(RunLength(counts, SIZE), SIZE)
    with pytest.raises(BadShape, match=BAD_RLE):
        rasterise(RunLength((108,), SIZE), SIZE[::-1])


def box(left: float, top: float, right: float, bottom: float) -> Polygon:
    return Polygon((ring((left, top), (right, top), (right, bottom), (left, bottom)),))


def test_smaller_objects_stay_visible_in_any_order() -> None:
    large, small = Region("a", box(0, 0, 8, 8)), Region("b", box(2, 2, 4, 4))
    for order in ([(large, 1), (small, 2)], [(small, 2), (large, 1)]):
        found = draw(order, SIZE, most=2, crowd_ignored=True)
        assert (found.labels == 2).sum() == 4 and (found.labels == 1).sum() == 60
        assert (found.covered, found.shared, found.objects) == (64, 4, 2)
        assert [found.instances[3, 3], found.instances[0, 0]] == [
            1 + order.index((small, 2)),
            1 + order.index((large, 1)),
        ]


def test_crowds_and_ignored_categories_lie_below_objects() -> None:
    crowd, thing = Region("a", box(0, 0, 3, 3), crowd=True), Region("a", box(0, 0, 9, 9))
    found = draw([(crowd, 1), (thing, 1)], SIZE, most=1, crowd_ignored=True)
    assert (found.labels == 255).sum() == 0  # the larger object covers the crowd
    found = draw([(crowd, 1), (Region("a", box(1, 1, 2, 2)), 1)], SIZE, most=300, crowd_ignored=True)
    assert found.labels.dtype == np.uint16 and (found.labels == 65535).sum() == 8
    assert (found.instances == 2).sum() == 1 and (found.instances == 1).sum() == 0
    assert (draw([(crowd, 1)], SIZE, most=1, crowd_ignored=False).labels == 1).sum() == 9
    assert (draw([(thing, -1)], SIZE, most=1, crowd_ignored=True).labels == 255).sum() == 81


def test_objects_that_are_not_seen_are_counted() -> None:
    regions = [
        (Region("a", box(0, 0, 2, 2)), 1),
        (Region("a", box(0, 0, 2, 2)), 1),
        (Region("a", box(20, 20, 22, 22)), 1),
        (Region("a", box(0.6, 0, 0.9, 9)), 1),
        (Region("a", None, ("no outline",)), 1),
        (Region("a", box(6, 6, 40, 9)), 1),
    ]
    found = draw(regions, SIZE, most=1, crowd_ignored=True)
    assert found.problems == {COVERED: 1, OUTSIDE: 2, "no outline": 1}
    assert (found.objects, found.clipped) == (2, 1)
