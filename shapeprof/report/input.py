"""What ``scan --explain-input`` shows: which files are masks, and what each is read as. Computes nothing."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from shapeprof.wording import percent, plural, printable

from .summary import KINDS
from .terminal import SEVERITIES

if TYPE_CHECKING:
    from shapeprof.issues import Issue
    from shapeprof.sources.explain import InputReport, Reading

_VALUES, _CLASSES = 6, 4  # shown of one mask
_LONGEST = 1000  # characters of a message


def render_input(report: InputReport) -> RenderableType:
    """The explanation for a terminal."""
    folder = report.folder
    images = folder.why.count("images-among-masks")
    head = f"{plural(len(folder.files), 'mask')} in {printable(str(folder.root))}"
    if len(folder.stored) != len(folder.files):
        head += f", kept in {plural(len(folder.stored), 'file')}"
    head += f"; {plural(images, 'image')}; {plural(folder.skipped - images, 'other file')} left alone."
    parts: list[RenderableType] = [Text(head)]
    parts += [_finding(issue) for issue in folder.issues]
    encoding = report.encoding
    if encoding is None:
        parts += [Text(), Text(f"!! {printable(str(report.problem), _LONGEST)}", style="bold red")]
    else:
        objects = ", each object of its own" if encoding.instances else ""
        parts += [Text(), Text(f"Read as: {KINDS[encoding.kind]}{objects}.")]
        parts += [Padding(Text(printable(reason, _LONGEST), style="dim"), (0, 0, 0, 2)) for reason in encoding.reasons]
        parts += [_finding(issue) for issue in encoding.issues]
    parts += [Text(), _table(report.readings)]
    if len(report.readings) < len(folder.files):
        more = f"... and {len(folder.files) - len(report.readings):,} more; --json lists all."
        parts.append(Text(more, style="dim"))
    parts += [_finding(issue) for reading in report.readings for issue in reading.issues]
    return Group(*parts)


def _finding(issue: Issue) -> Text:
    mark, style = SEVERITIES[issue.severity]
    where = f"{printable(issue.path)}: " if issue.path else ""
    return Text(f"{mark} ", style=style).append(f"{where}{printable(issue.message, _LONGEST)}", style="")


def _table(readings: tuple[Reading, ...]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("mask", ratio=3, overflow="fold")
    table.add_column("stored as", ratio=2)
    table.add_column("size", no_wrap=True)
    table.add_column("values", ratio=2)
    table.add_column("read as", ratio=3)
    for r in readings:
        size = "-" if r.size is None else f"{r.size[1]}x{r.size[0]}"
        cells = (printable(r.name), r.storage or "-", size, _values(r), _read_as(r))
        table.add_row(*(Text(cell) for cell in cells))
    return table


def _values(r: Reading) -> str:
    shown = ", ".join(map(str, r.values[:_VALUES]))
    return f"{shown} ... {r.distinct:,} values" if r.distinct > _VALUES else shown or "-"


def _read_as(r: Reading) -> str:
    failed = [issue.code for issue in r.issues if issue.severity == "error" and issue.path == r.name]
    if not r.pixels and not r.ignored:
        return f"not readable: {', '.join(failed)}" if failed else "-"
    total = sum(n for _, n in r.pixels) + r.ignored
    largest = sorted(r.pixels, key=lambda pair: -pair[1])
    shown = [f"{printable(name)} {percent(n / total)}" for name, n in largest[:_CLASSES]]
    if len(largest) > _CLASSES:
        shown.append(f"{len(largest) - _CLASSES} more")
    if r.ignored:
        shown.append(f"ignored {percent(r.ignored / total)}")
    if r.objects is not None:
        shown.append(plural(r.objects, "object"))
    return ", ".join(shown)


def input_to_json(report: InputReport) -> str:
    """The explanation as one JSON object; names that are no UTF-8 keep their bytes as surrogate escapes."""
    folder = report.folder
    data: dict[str, Any] = {
        "root": str(folder.root),
        "masks": len(folder.files),
        "stored_files": len(folder.stored),
        "left_alone": [{"path": p, "why": w} for p, w in zip(folder.others, folder.why, strict=True)],
        "left_alone_by_reason": dict(sorted(Counter(folder.why).items())),
        "findings": [asdict(issue) for issue in report.findings],
        "encoding": None if report.encoding is None else report.encoding.to_dict(),
        "problem": None if report.problem is None else str(report.problem),
        "files": [_reading(r) for r in report.readings],
    }
    return json.dumps(data, indent=2, ensure_ascii=True, allow_nan=False)


def _reading(r: Reading) -> dict[str, Any]:
    return {
        "name": r.name,
        "storage": r.storage,
        "size": None if r.size is None else list(r.size),
        "values": list(r.values),
        "distinct_values": r.distinct,
        "read_as": [{"class": name, "pixels": n} for name, n in r.pixels],
        "ignored_pixels": r.ignored,
        "objects": r.objects,
        "issues": [asdict(issue) for issue in r.issues],
    }
