"""The statistics of every class as plain numbers: the ``classes`` block of profile.json and of ``--json``."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import Any

from shapeprof.metrics.metric import Metric
from shapeprof.metrics.registry import histograms
from shapeprof.metrics.strides import STRIDES

from .class_view import ClassView
from .profile import Profile
from .tally import NEAR


def classes_block(profile: Profile) -> list[dict[str, Any]]:
    """The statistics of every class, as plain numbers; undefined ones are null. A contract: add, never rename."""
    return [_class_block(profile, view) for view in profile.classes()]


def _class_block(profile: Profile, view: ClassView) -> dict[str, Any]:
    return {
        "id": view.id,
        "name": view.name,
        "objects": {
            "found": view.found,
            "measured": view.measured,
            "below_floor": view.found - view.measured,
            "truncated": int(view.total("truncated")),
            "borders_ignored": int(view.total("borders_ignored")),
            "in_pieces": int(view.total("in_pieces")),
            "reliable": int(view.total("reliable")),
        },
        "shape_basis": "untruncated" if view.untruncated_only else "all",
        "pixel_share": number(profile.pixel_share(view)),
        "image_share": number(view.total("images") / profile.images if profile.images else math.nan),
        **{metric.key: _metric_block(view, metric) for metric in histograms() if metric.shows},
        "width": percentiles(view, "width_pixels", (5, 10, 50)),
        "perimeter": number(view.perimeter),
        "near_boundary": {str(d): number(view.near_boundary(d)) for d in NEAR},
        "ignored_boundary_share": number(view.ignored_boundary_share),
        "holes": {
            "count": int(view.total("hole_count")),
            "objects": int(view.total("with_holes")),
            "pixels": int(view.total("hole_area")),
        },
        "crowding": {
            "touching_share": number(view.touching_share),
            "suspected_merged_share": number(view.suspected_merged_share),
        },
        "nesting": [nested for nested in nesting_block(profile) if nested["outer"] == view.id],
        "survival": {str(s): _survival_block(view, s) for s in STRIDES},
        "sampled_images": int(view.total("sampled_images")),
    }


def percentiles(view: ClassView, name: str, points: tuple[int, ...], weight: str = "objects") -> dict[str, Any]:
    """Some percentiles of a metric or of ``"width_pixels"``, under p05, p50 and so on."""
    return {f"p{p:02d}": number(view.quantile(name, p / 100, weight)) for p in points}


def _metric_block(view: ClassView, metric: Metric) -> dict[str, Any]:
    block = percentiles(view, metric.key, metric.shows)
    if metric.shows_by_area:
        block["area_weighted"] = percentiles(view, metric.key, metric.shows_by_area, "area")
    return block


def nesting_block(profile: Profile) -> list[dict[str, Any]]:
    """The classes that lie in holes of another class."""
    return [{**asdict(n), "share_of_inner": number(n.share_of_inner)} for n in profile.nested()]


def _survival_block(view: ClassView, stride: int) -> dict[str, float | None]:
    return {
        "nearest": number(view.survival(stride, "nearest")),
        "linear": number(view.survival(stride)),
        "best": number(view.survival(stride, "best")),
        "per_object": number(view.per_object(stride)),
        "recall": number(view.recall(stride)),
        "per_object_nearest": number(view.per_object(stride, "nearest")),
        "recall_nearest": number(view.recall(stride, "nearest")),
    }


def number(value: float) -> float | None:
    """A float for JSON: 6 significant digits, null for NaN."""
    return None if math.isnan(value) else float(f"{value:.6g}")
