"""Nearest survival equals a slow reference by the definition, for one mask and for many at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from shapeprof.metrics.columns import STRIDES
from shapeprof.metrics.nearest import nearest
from shapeprof.metrics.runs import find_classes, find_objects, stack
from shapeprof.metrics.survival import Survival
from shapeprof.sources.run_length import encode

from .images import IGNORE, label_images, label_map, owner_map, random_labels

Array = NDArray[Any]


def survive(masks: list[Array], background: int | None, instances: list[Array] | None = None) -> Survival:
    """Of all masks in one call."""
    ids: Sequence[Array | None] = instances or [None] * len(masks)
    runs = stack([encode(label_map(m, background, i)) for m, i in zip(masks, ids, strict=True)])
    return nearest(runs, find_objects(runs, background), find_classes(runs, background))


def reference(labels: Array, background: int | None, instances: Array | None = None) -> Survival:
    """By the definition: whole arrays, the image padded, each cell counted."""
    runs = stack([encode(label_map(labels, background, instances))])
    objects = find_objects(runs, background)
    owner, n = owner_map(runs, objects), objects.class_id.size
    ids = sorted({int(c) for c in np.unique(labels)} - {IGNORE}, key=lambda c: (c == background, c))
    truth = np.full(labels.shape, -1)
    for k, c in enumerate(ids):
        truth[labels == c] = k
    p = len(ids)
    result = Survival(*(np.zeros((rows, len(STRIDES)), np.int64) for rows in (p, p, n)))
    for k, s in enumerate(STRIDES if p else ()):
        for phase in (0, s // 2):
            before = [-side % s // 2 + phase for side in labels.shape]
            after = [-(side + b) % s for side, b in zip(labels.shape, before, strict=True)]
            padded = np.pad(truth, list(zip(before, after, strict=True)), mode="edge")
            rows, cols = (side // s for side in padded.shape)
            votes = (padded[..., None] == np.arange(p)).reshape(rows, s, cols, s, p).sum(axis=(1, 3))
            full = votes.argmax(axis=-1).repeat(s, axis=0).repeat(s, axis=1)  # the first of the tied
            winner = full[before[0] :, before[1] :][: labels.shape[0], : labels.shape[1]]
            wrong = (truth >= 0) & (winner != truth)
            result.lost[:, k] += np.bincount(truth[wrong], minlength=p)
            result.gained[:, k] += np.bincount(winner[wrong], minlength=p)
            result.object_lost[:, k] += np.bincount(owner[wrong & (owner >= 0)], minlength=n)
    return result


def assert_equal(actual: Survival, expected: Survival) -> None:
    for name in expected._fields:
        np.testing.assert_array_equal(getattr(actual, name), getattr(expected, name), err_msg=name)


@pytest.mark.parametrize("background", [None, 0, 2])
@settings(deadline=None, max_examples=40)
@given(label_images(max_side=70, classes=5))
def test_counts_equal_the_reference(background: int | None, labels: NDArray[np.uint8]) -> None:
    assert_equal(survive([labels], background), reference(labels, background))


@settings(deadline=None, max_examples=40)
@given(label_images(max_side=70, classes=3), st.integers(0, 2**32 - 1), st.integers(1, 9))
def test_touching_instances_equal_the_reference(labels: NDArray[np.uint8], seed: int, grain: int) -> None:
    """Objects of one class that touch, objects of several classes, and pixels of no object."""
    ids = random_labels(seed, (labels.shape[0], labels.shape[1]), 6, noise=0.05, grain=grain).astype(
        np.uint16
    )
    assert_equal(survive([labels], 0, [ids]), reference(labels, 0, ids))


@pytest.mark.parametrize("ignored", [0.0, 0.15], ids=["all labelled", "some ignored"])
@pytest.mark.parametrize("background", [None, 0, 2])
@pytest.mark.parametrize(
    "size", [(1, 1), (1, 97), (97, 1), (3, 1033), (1033, 3), (67, 131), (64, 96), (130, 63)], ids=str
)
def test_sizes(size: tuple[int, int], background: int | None, ignored: float) -> None:
    labels = random_labels(3, size, 5, ignored, noise=0.05, grain=9)
    assert_equal(survive([labels], background), reference(labels, background))


@pytest.mark.parametrize("background", [None, 0, 2])
@settings(deadline=None, max_examples=20)
@given(st.lists(label_images(max_side=50, classes=5), min_size=2, max_size=5))
def test_many_masks_at_once_equal_one_call_each(background: int | None, masks: list[Array]) -> None:
    single = [survive([m], background) for m in masks]
    assert_equal(
        survive(masks, background), Survival(*(np.concatenate(part) for part in zip(*single, strict=True)))
    )


@settings(deadline=None, max_examples=20)
@given(st.lists(label_images(max_side=50, classes=3), min_size=2, max_size=4), st.integers(0, 2**32 - 1))
def test_many_instance_masks_at_once_equal_one_call_each(masks: list[Array], seed: int) -> None:
    """The same instance id in two masks is two objects."""
    rng = np.random.default_rng(seed)
    ids = [
        np.kron(rng.integers(4, size=(17, 17)), np.ones((3, 3)))[: m.shape[0], : m.shape[1]] for m in masks
    ]
    ids = [i.astype(np.uint16) for i in ids]
    single = [survive([m], 0, [i]) for m, i in zip(masks, ids, strict=True)]
    assert_equal(
        survive(masks, 0, ids), Survival(*(np.concatenate(part) for part in zip(*single, strict=True)))
    )


def test_a_mask_without_a_class() -> None:
    """Between two others, one with ignored pixels only."""
    blank = np.full((37, 50), IGNORE, np.uint8)
    mask = random_labels(1, (45, 33), 4)
    alone = survive([mask], 0)
    assert [counts.shape for counts in survive([blank], 0)] == [(0, 5)] * 3
    assert_equal(survive([mask, blank, mask], 0), Survival(*(np.concatenate((a, a)) for a in alone)))
