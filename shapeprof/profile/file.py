"""profile.json: a Profile as text and back, and the classes block that ``--json`` shares with it.

Two equal scans write equal files; what differs between them (time, place, duration) is in log.json beside it.
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from shapeprof.errors import ProfileError
from shapeprof.issues import Issue
from shapeprof.metrics.bins import LENGTH_BINS
from shapeprof.metrics.columns import STRIDES

from .profile import (
    LAYOUT,
    NEAR,
    SCHEMA_VERSION,
    TALLY_SIZE,
    ClassView,
    Counts,
    Extreme,
    Extremes,
    Ledger,
    Profile,
    new_tally,
)

LOG_NAME = "log.json"
_STARTS = np.array([where.start for where, _ in LAYOUT.values()])  # parts lie one behind the other

if TYPE_CHECKING:
    import pandas as pd


def load_objects(folder: Path) -> pd.DataFrame:
    """The objects of a scan as a table: one row per object, columns as in ``metrics.columns``.

    Raises:
        ProfileError: ``folder`` holds no objects.parquet.
    """
    import pandas as pd

    path = folder / "objects.parquet"
    if not path.is_file():
        raise ProfileError(f"{path}: no such file; give the folder that `shapeprof scan` wrote")
    return pd.read_parquet(path)


def classes_block(profile: Profile) -> list[dict[str, Any]]:
    """The statistics of every class, as plain numbers; undefined ones are null. A contract: add, never rename."""
    return [_class_block(profile, view) for view in profile.classes()]


def _class_block(profile: Profile, view: ClassView) -> dict[str, Any]:
    def percentiles(name: str, *points: int) -> dict[str, float | None]:
        return {f"p{p:02d}": number(view.length(name, p / 100)) for p in points}

    convexity = {f"p{p:02d}": number(view.convexity(p / 100)) for p in (5, 25, 50, 75, 95)}
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
        "convexity": {
            **convexity,
            "area_weighted": {f"p{p:02d}": number(view.convexity(p / 100, "area")) for p in (5, 25, 50)},
        },
        "width": percentiles("width_pixels", 5, 10, 50),
        "mean_width": percentiles("mean_width", 5, 10, 50),
        "extent": percentiles("extent", 25, 50, 75, 90),
        "feret": percentiles("feret", 25, 50, 75, 90),
        "area": percentiles("area", 5, 50, 95),
        "perimeter": number(view.perimeter),
        "near_boundary": {str(d): number(view.near_boundary(d)) for d in NEAR},
        "ignored_boundary_share": number(view.ignored_boundary_share),
        "holes": {
            "count": int(view.total("hole_count")),
            "objects": int(view.total("with_holes")),
            "pixels": int(view.total("hole_area")),
        },
        "convexity_filled": {"p50": number(view.convexity_filled(0.5))},
        "concavity_depth": {f"p{p}": number(view.concavity_depth(p / 100)) for p in (50, 90)},
        "crowding": {
            "touching_share": number(view.touching_share),
            "suspected_merged_share": number(view.suspected_merged_share),
        },
        "nesting": [nested for nested in _nesting(profile) if nested["outer"] == view.id],
        "survival": {str(s): _survival_block(view, s) for s in STRIDES},
        "sampled_images": int(view.total("sampled_images")),
    }


def _nesting(profile: Profile) -> list[dict[str, Any]]:
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


def dump(profile: Profile) -> str:
    """The text of profile.json."""
    data = {
        "schema_version": SCHEMA_VERSION,
        "tool_version": profile.tool_version,
        "arguments": profile.arguments,
        "fingerprint": profile.fingerprint,
        "encoding": profile.encoding,
        "ledger": asdict(profile.ledger),
        "names": list(profile.names),
        "background": profile.background,
        "pixels": profile.pixels,
        "ignored": profile.ignored,
        "background_pixels": profile.background_pixels,
        "sizes": [[h, w, profile.sizes[h, w]] for h, w in sorted(profile.sizes)],
        "classes": classes_block(profile),
        "nesting": _nesting(profile),
        "issues": [asdict(issue) for issue in profile.issues],
        "extremes": extremes_to_json(profile.extremes),
        "void_width": {f"p{p}": number(profile.void_width(p / 100)) for p in (10, 50)},
        "void_widths": _sparse_counts(profile.void_widths),
        "totals": _sparse_tallies(profile.totals),
        "sample": [[path, _sparse_tallies(tallies)] for path, tallies in profile.sample],
    }
    return json.dumps(data, indent=None, separators=(",", ":"), ensure_ascii=True) + "\n"


def _sparse_tallies(tallies: dict[int, Counts]) -> dict[str, dict[str, list[list[int]]]]:
    """Class id -> part -> [positions, counts], zeros left out."""
    return {str(c): _sparse(tally) for c, tally in sorted(tallies.items())}


def _sparse(tally: Counts) -> dict[str, list[list[int]]]:
    at = np.flatnonzero(tally)
    counts: list[int] = tally[at].tolist()
    bounds: list[int] = np.searchsorted(at, _STARTS).tolist()
    parts = {}
    for name, start, first, last in zip(LAYOUT, _STARTS.tolist(), bounds, [*bounds[1:], at.size], strict=True):
        if last > first:
            parts[name] = [(at[first:last] - start).tolist(), counts[first:last]]
    return parts


def _sparse_counts(values: Counts) -> list[list[int]]:
    """[positions, counts] of what is not 0."""
    at = np.flatnonzero(values)
    return [at.tolist(), values[at].tolist()]


def _tallies_from_json(data: dict[str, Any]) -> dict[int, Counts]:
    """The tallies that ``_sparse_tallies`` wrote."""
    return {int(c): _dense(parts) for c, parts in data.items()}


def extremes_to_json(extremes: Extremes) -> dict[str, Any]:
    """Extreme objects by class id and kind."""
    return {
        str(c): {kind: [asdict(e) for e in found] for kind, found in kinds.items()} for c, kinds in extremes.items()
    }


def extremes_from_json(data: dict[str, Any]) -> Extremes:
    """The extremes that ``extremes_to_json`` wrote."""
    return {
        int(c): {
            kind: tuple(Extreme(e["value"], e["path"], tuple(e["box"])) for e in found) for kind, found in kinds.items()
        }
        for c, kinds in data.items()
    }


def _dense(parts: dict[str, list[list[int]]]) -> Counts:
    tally = new_tally()
    for name, (positions, counts) in parts.items():
        where, _ = LAYOUT[name]
        tally[where][np.array(positions, np.int64)] = counts
    assert tally.size == TALLY_SIZE
    return tally


def load(path: Path) -> Profile:
    """Read profile.json.

    Raises:
        ProfileError: the file can't be read, is damaged, or has another schema version.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ProfileError(f"{path}: can't be read ({error.strerror}); give the profile.json of a scan") from None
    except ValueError as error:
        raise ProfileError(f"{path}: is not JSON ({error}); scan again to write it anew") from None
    if not isinstance(data, dict) or "schema_version" not in data:
        raise ProfileError(f"{path}: is no profile of shapeprof; give the profile.json that `shapeprof scan` wrote")
    if data["schema_version"] != SCHEMA_VERSION:
        raise ProfileError(
            f"{path}: has schema version {data['schema_version']}, this shapeprof reads {SCHEMA_VERSION}; scan again"
        )
    try:
        return _build(data, _log_beside(path))
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise ProfileError(f"{path}: is damaged ({type(error).__name__}: {error}); scan again") from None


def _log_beside(path: Path) -> dict[str, Any]:
    """The log of the scan that wrote a profile; empty when it is gone."""
    try:
        log = json.loads((path.parent / LOG_NAME).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return log if isinstance(log, dict) else {}


def _build(data: dict[str, Any], log: dict[str, Any]) -> Profile:
    void_widths = np.zeros(LENGTH_BINS, np.int64)
    void_widths[np.array(data["void_widths"][0], np.int64)] = data["void_widths"][1]
    return Profile(
        names=tuple(data["names"]),
        background=data["background"],
        encoding=data["encoding"],
        ledger=Ledger(**data["ledger"]),
        sizes={(h, w): n for h, w, n in data["sizes"]},
        pixels=data["pixels"],
        ignored=data["ignored"],
        background_pixels=data["background_pixels"],
        totals=_tallies_from_json(data["totals"]),
        sample=tuple((path, _tallies_from_json(tallies)) for path, tallies in data["sample"]),
        extremes=extremes_from_json(data["extremes"]),
        issues=tuple(Issue(**issue) for issue in data["issues"]),
        fingerprint=data["fingerprint"],
        arguments=data["arguments"],
        tool_version=data["tool_version"],
        log=log,
        nesting={(n["outer"], n["inner"]): (n["pixels"], n["objects"]) for n in data.get("nesting", ())},
        void_widths=void_widths,
    )
