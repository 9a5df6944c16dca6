"""What the checks of an exported model found: a table, its numbers, and JSON."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from shapeprof.export.verify import Verification
from shapeprof.wording import big, duration, plural, printable

MARKS = {"passed": ("ok", "green"), "failed": ("!!", "bold red"), "skipped": (" -", "dim")}


def render(result: Verification) -> RenderableType:
    """The whole report."""
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(style="bold", no_wrap=True)
    table.add_column()
    for check in result.checks:
        mark, style = MARKS[check.status]
        message = Text(printable(check.message, 600), style="" if check.status == "passed" else style)
        table.add_row(Text(mark, style=style), check.name, message)
    numbers = Table.grid(padding=(0, 2, 0, 0))
    numbers.add_column(style="bold", no_wrap=True)
    numbers.add_column()
    for name, text in _numbers(result):
        numbers.add_row(name, text)
    verdict = Text(_verdict(result), style="bold red" if result.failed else "bold green")
    return Group(table, Text(), numbers, Text(), verdict)


def _numbers(result: Verification) -> Iterator[tuple[str, str]]:
    """What to expect of the model, as far as it is known."""
    figures, spec = result.figures, result.spec
    if "parameters" in figures:
        more = figures["training_parameters"] - figures["parameters"]
        yield (
            "Parameters",
            f"{figures['parameters']:,.0f}" + (f", and {more:,.0f} that only training has" if more else ""),
        )
    if "macs" in figures:
        yield "Compute", f"{big(figures['macs'])}MAC a crop"
    if spec is None:
        return
    training = spec.training
    crops = f"the planned batch of {training.batch}"
    if "memory_gb" in figures:
        memory = f"{figures['memory_gb']:.2f} GB measured at {crops}, {spec.derived.memory_gb:.2f} estimated"
    else:
        memory = f"{spec.derived.memory_gb:.2f} GB estimated for {crops} in float32; not measured"
    yield "Memory", memory
    if "steps_per_second" in figures:
        rate = figures["steps_per_second"]
        yield "Speed", f"{rate:.3g} steps a second here" + (f", {1 / rate:.1f} s each" if rate < 1 else "")
        yield ("Training", f"{training.steps:,} steps in {duration(figures['training_seconds'])} here, without loading")
    else:
        yield "Speed", "not measured in the quick part"


def _verdict(result: Verification) -> str:
    skipped = sum(check.status == "skipped" for check in result.checks)
    if result.failed:
        names = ", ".join(check.name for check in result.failed)
        return f"{plural(len(result.failed), 'check')} of {len(result.checks)} failed: {names}"
    passed = f"{plural(len(result.checks) - skipped, 'check')} passed"
    return passed + (f", {skipped} skipped" if skipped else "")


def one_line(result: Verification) -> str:
    """What an export says of its quick checks, and what it did not check."""
    left = ", ".join(check.name for check in result.checks if check.status == "skipped")
    again = f"shapeprof verify {shlex.quote(str(result.folder))}"
    if result.failed:
        found = "; ".join(f"{check.name}: {check.message}" for check in result.failed)
        return printable(f"{_verdict(result)}. {found}", 800)
    seconds = sum(check.seconds for check in result.checks)
    return printable(f"{_verdict(result).split(',')[0]} in {seconds:.0f} s; not checked: {left} ({again})", 800)


def to_dict(result: Verification) -> dict[str, Any]:
    """The result for machines."""
    return {
        "folder": str(result.folder),
        "quick": result.quick,
        "passed": not result.failed,
        "checks": [asdict(check) for check in result.checks],
        "figures": result.figures,
    }


def to_json(result: Verification) -> str:
    """The object that ``verify --json`` prints."""
    return json.dumps(to_dict(result), indent=2)
