"""The report on one screen: the answer, why, the masks, the outputs, other networks, findings, what to type."""

from __future__ import annotations

import io
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from shapeprof.findings.find import find_all
from shapeprof.findings.finding import Finding
from shapeprof.profile.profile import Profile
from shapeprof.recommend.decision import Recommendation
from shapeprof.wording import big, brief, percent, plural, printable, quantity, short

from .summary import Choice, ClassRow, Place, StrideRow, Summary, summarise
from .text import bar, spark

SCREEN = 55  # lines of the report at 80 columns, for up to six classes
COLUMNS = 80
LONGEST_NAME = 14  # characters of a class's name in its table
LONGEST_PATH = 40  # characters of a path beside a finding
# Marks and styles, most severe first.
SEVERITIES = {"error": ("!!", "bold red"), "warning": (" !", "yellow"), "info": (" ·", "dim")}


@dataclass(frozen=True, slots=True)
class Room:
    """How much of a summary is shown, so that it fits one screen."""

    blank: bool = True  # blank lines between sections
    reasons: int = 5
    choices: int = 10
    strides: bool = True  # outputs that keep nothing too
    findings: int = 0


# From airy to narrow; the first in which some findings fit is taken.
ROOMS = (
    Room(),
    Room(blank=False),
    Room(blank=False, strides=False),
    Room(blank=False, strides=False, choices=4),
    Room(blank=False, strides=False, choices=3, reasons=4),
    Room(blank=False, strides=False, choices=2, reasons=3),
)
FEW_FINDINGS = 3  # lines of findings for which other sections give way


def show(
    console: Console, profile: Profile, recommendation: Recommendation, place: Place, *, details: bool = False
) -> None:
    """Print the report; with ``details`` also every decision's record, every finding's whole text, every class."""
    findings = find_all(profile, recommendation)
    summary = summarise(profile, recommendation, findings, place, details=details)
    console.print(render(summary, details=details), highlight=False)
    for line in next_lines(summary):
        console.print(line, soft_wrap=True)


def render(summary: Summary, *, details: bool = False) -> RenderableType:
    """The whole report but for the lines to paste (``next_lines``)."""
    if details:
        everything = replace(Room(), findings=len(summary.findings))
        return Group(*_sections(summary, everything, details=True), *_details(summary), *_kept(summary, everything))
    room = fitting(summary)
    return Group(*_sections(summary, room), *_kept(summary, room))


def next_lines(summary: Summary) -> Iterator[Text]:
    """What to type next. Never wrapped, so that it can be pasted."""
    for label, command in zip(("Next", "", "More"), summary.next, strict=True):
        yield Text.assemble((f"{label:<6}", "bold"), command)


def fitting(summary: Summary) -> Room:
    """The airiest room in which the report takes no more than ``SCREEN`` lines at 80 columns.

    It is chosen for 80 columns whatever the terminal's width: a wider one shows the same.
    """
    wanted = min(FEW_FINDINGS, len(_grouped(summary.findings)))
    for room in ROOMS:
        best = replace(room, findings=wanted)
        if lines_of(summary, best) > SCREEN:
            continue
        for findings in range(len(_grouped(summary.findings)), wanted, -1):
            more = replace(room, findings=findings)
            if lines_of(summary, more) <= SCREEN:
                return more
        return best
    return replace(ROOMS[-1], findings=0)


def lines_of(summary: Summary, room: Room) -> int:
    """Lines of the report at 80 columns."""
    console = Console(file=io.StringIO(), width=COLUMNS, markup=False)
    lines = console.render_lines(Group(*_sections(summary, room), *_kept(summary, room)), pad=False)
    return len(lines) + len(summary.next)


# Sections ---------------------------------------------------------------------------------------


def _sections(summary: Summary, room: Room, *, details: bool = False) -> Iterator[RenderableType]:
    yield from (Text(printable(line)) for line in summary.header)
    yield from _section("Train this", _answer(summary), room)
    yield from _section("Why", _why(summary, room), room)
    yield from _section("Your masks", _masks(summary), room)
    yield from _section("How coarse may the output be?", _strides(summary, room), room)
    if summary.choices:
        yield from _section("Other choices", _choices(summary, room, details), room)
    yield from _section("Before you train", _findings(summary, room, details), room)


def _kept(summary: Summary, room: Room) -> Iterator[RenderableType]:
    """Where the profile lies, above the lines to paste."""
    if room.blank:
        yield Text()
    yield Text.assemble(("Kept  ", "bold"), printable(summary.kept_in))


def _section(title: str, parts: Iterable[RenderableType], room: Room) -> Iterator[RenderableType]:
    if room.blank:
        yield Text()
    yield Rule(Text(title, style="bold cyan"), align="left", style="cyan", characters="─")
    yield from (Padding(part, (0, 0, 0, 2)) for part in parts)


def _grid(*justified: str) -> Table:
    table = Table.grid(padding=(0, 2))
    for justify in justified:
        table.add_column(justify=justify, no_wrap=True)  # type: ignore[arg-type]
    return table


def _dim(*titles: str) -> list[Text]:
    return [Text(title, style="dim") for title in titles]


def _answer(summary: Summary) -> Iterator[RenderableType]:
    yield Text(printable(summary.network), style="bold")
    table = _grid("left", "left", "left", "left")
    labels = list(summary.facts)
    for left, right in zip(labels[::2], [*labels[1::2], ""], strict=False):
        texts = summary.facts[left], summary.facts.get(right, "")
        table.add_row(Text(left, style="dim"), texts[0], Text(right, style="dim"), texts[1])
    yield table
    if summary.tie:
        yield Text(printable(summary.tie), style="yellow")


def _why(summary: Summary, room: Room) -> Iterator[RenderableType]:
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold", no_wrap=True)
    table.add_column()
    reasons = summary.why if len(summary.why) <= room.reasons else (*summary.why[: room.reasons - 1], summary.why[-1])
    for reason in reasons:
        table.add_row(reason.title, Text(printable(reason.text)))
    yield table
    if summary.unseen:
        words = "; ".join(each[:1].lower() + each[1:] for each in summary.unseen)
        yield Text.assemble(("Not looked at: ", "bold"), printable(words) + ".")


def _masks(summary: Summary) -> Iterator[RenderableType]:
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True, overflow="ellipsis")  # made for 80 columns; a narrower terminal cuts all of them
    extra = list(summary.classes[0].extra) if summary.classes else []
    convexity = "convexity" if extra else "convexity 0 .. 1"
    for justify in ("right", "right", "left", "left", "left", *["right"] * len(extra)):
        table.add_column(justify=justify, no_wrap=True)  # type: ignore[arg-type]
    table.add_row(*_dim("", "objects", "pixels", "across, px", "width, px", convexity, *extra))
    for row in summary.classes:
        table.add_row(*_class_cells(row))
    yield table
    hidden = f"and {plural(summary.hidden_classes, 'class')} more: --details. " if summary.hidden_classes else ""
    yield Text(f"{hidden}{summary.counts}", style="dim")
    yield Text("Middle values. Width: widest disc inside. Convexity: area / hull, 1 is convex.", style="dim")


def _class_cells(row: ClassRow) -> tuple[RenderableType, ...]:
    """The cells of one class. Histograms make room for further columns."""
    width = "63+" if row.width > 60 else quantity(row.width)
    convexity = "-" if math.isnan(row.convexity) else f"{row.convexity:.3f}"

    def cell(value: str, counts: tuple[float, ...]) -> str:
        return f"{value:>5}" + ("" if row.extra else f" {spark(list(counts))}")

    return (
        Text(brief(row.name, LONGEST_NAME)),
        f"{row.objects:,}",
        percent(row.pixel_share),
        cell(quantity(row.across), row.across_counts),
        cell(width, row.width_counts),
        cell(convexity, row.convexity_counts),
        *("-" if math.isnan(value) else short(value) for value in row.extra.values()),
    )


def _strides(summary: Summary, room: Room) -> Iterator[RenderableType]:
    if not summary.strides:
        yield Text("No object, no answer.")
        return
    optimised = not all(math.isnan(row.best) for row in summary.strides)
    table = _grid("left", "left", "right", *["right"] * optimised, "right", "left")
    area = f"area of {brief(summary.class_for_strides, 18)} it can keep"
    table.add_row(*_dim("output", area, "", *["at best"] * optimised, "objects kept", ""))
    for row in summary.strides:
        if row.chosen or _says_something(row, room):
            best = [percent(row.best)] * optimised
            cells = (f"1/{row.stride}", bar(row.area, 24), percent(row.area), *best, percent(row.objects))
            table.add_row(*cells, "◀ this" if row.chosen else "", style="bold" if row.chosen else "")
    yield table
    if summary.strides_note:
        yield Text(printable(summary.strides_note), style="dim")


def _says_something(row: StrideRow, room: Room) -> bool:
    """Full resolution keeps all, always; where there is little room, outputs that keep hardly anything go too."""
    return row.stride > 1 and (room.strides or row.area >= 0.1)


def _choices(summary: Summary, room: Room, details: bool) -> Iterator[RenderableType]:
    table = _grid("left", "right", "right", "right", "right")
    table.columns[0].no_wrap = False
    table.add_row(*_dim("a ceiling, not a predicted score", "output", "can keep", "compute", "parameters"))
    for choice in summary.choices[: room.choices]:
        table.add_row(*_choice_cells(choice, details))
    yield table


def _choice_cells(choice: Choice, details: bool) -> tuple[RenderableType, ...]:
    label = Text(brief(choice.label, 38), style="bold" if choice.recommended else "")
    if choice.note and details:
        label.append(f": {printable(choice.note)}", style="dim")
    difference = f" ({choice.difference * 100:+.0f})" if choice.difference else "" if choice.recommended else " (tie)"
    return (
        label,
        f"1/{choice.stride}",
        percent(choice.keeps) + difference,
        f"{choice.compute:.1f}x",
        big(choice.parameters),
    )


# Findings ---------------------------------------------------------------------------------------


def _grouped(findings: Iterable[Finding]) -> list[list[Finding]]:
    """Findings of one code together: one line of the screen."""
    groups: dict[tuple[str, str], list[Finding]] = {}
    for finding in findings:
        groups.setdefault((finding.severity, finding.code), []).append(finding)
    return list(groups.values())


def _findings(summary: Summary, room: Room, details: bool) -> Iterator[RenderableType]:
    if details:
        yield from (_whole(finding) for finding in summary.findings)
    else:
        groups = _grouped(summary.findings)
        yield from (_line(group) for group in groups[: room.findings])
        if rest := groups[room.findings :]:
            yield _rest(rest)
    if not summary.findings:
        yield Text("Nothing to mend was found in the masks.")


def _line(group: list[Finding]) -> Text:
    first = group[0]
    mark, style = SEVERITIES[first.severity]
    text = Text.assemble((f"{mark} ", style), printable(first.message, 400))
    if first.place:
        others = f" and {len(first.more):,} more" if first.more else ""
        text.append(f" ({brief(first.place, LONGEST_PATH)}{others})", style="dim")
    if len(group) > 1:
        text.append(f" ({len(group) - 1:,} more like it)", style="dim")
    return text


def _rest(groups: list[list[Finding]]) -> Text:
    """One line that names the codes for which there is no room."""
    codes = [group[0].code for group in groups]
    shown = ", ".join(codes[:2]) + (", ..." if len(codes) > 2 else "")
    return Text(f" · {plural(sum(map(len, groups)), 'finding')} more (--details): {shown}", style="dim")


def _whole(finding: Finding) -> Text:
    """A finding with its code, all that reading said, and every file."""
    mark, style = SEVERITIES[finding.severity]
    text = Text.assemble((f"{mark} ", style), (f"{finding.code}: ", "bold"), printable(finding.message, 400))
    if finding.text:
        text.append(f"\n   {printable(finding.text, 4000)}", style="dim")
    places = [place for place in (finding.place, *finding.more) if place]
    if places:
        text.append(f"\n   in {', '.join(map(printable, places))}", style="dim")
    return text


# Details ----------------------------------------------------------------------------------------


def _details(summary: Summary) -> Iterator[RenderableType]:
    room = Room()
    yield from _section("How the masks were read", (Text(printable(line, 1000)) for line in summary.reading), room)
    yield from _section("Every decision", _decisions(summary), room)


def _decisions(summary: Summary) -> Iterator[RenderableType]:
    yield Text(printable(summary.connections, 1000))
    yield from (Text(f"Not looked at. {printable(each)}") for each in summary.unseen_whole)
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold", no_wrap=True)
    table.add_column()
    for detail in summary.decisions:
        text = Text(printable(detail.reason, 1000))
        if detail.record:
            text.append(f"\n{detail.rule}: {printable(detail.record, 1000)}", style="dim")
        table.add_row(detail.title, text)
    yield table
