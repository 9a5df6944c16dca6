"""profile.json: a Profile as text and back; and objects.parquet as a table.

Two equal scans write equal files; what differs between them (time, place, duration) is in log.json beside it.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from shapeprof.errors import ProfileError
from shapeprof.issues import Issue
from shapeprof.metrics.bins import LENGTH_BINS

from .classes_block import classes_block, nesting_block, number
from .extremes import Extreme, Extremes
from .profile import SCHEMA_VERSION, Ledger, Profile
from .tally import LAYOUT, Counts, new_tally

LOG_NAME = "log.json"
_STARTS = np.array([where.start for where, _ in LAYOUT.values()])  # parts lie one behind the other

if TYPE_CHECKING:
    import pandas as pd


def load_objects(folder: Path) -> pd.DataFrame:
    """The objects of a scan as a table: one row per object, columns as in docs/metrics.md.

    Raises:
        ProfileError: ``folder`` holds no objects.parquet.
    """
    import pandas as pd

    path = folder / "objects.parquet"
    if not path.is_file():
        raise ProfileError(f"{path}: no such file; give the folder that `shapeprof scan` wrote")
    return pd.read_parquet(path)


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
        "nesting": nesting_block(profile),
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
    """[positions, counts] of the counts that are not 0."""
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
        raise ProfileError(f"{path}: is not JSON ({error}); scan again") from None
    if not isinstance(data, dict) or "schema_version" not in data:
        raise ProfileError(f"{path}: is not a profile of shapeprof; give the profile.json that `shapeprof scan` wrote")
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
