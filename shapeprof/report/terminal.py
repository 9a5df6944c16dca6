"""The terminal report: the answer first, then why, then the numbers, then what was found, then what to type."""

from __future__ import annotations

import math
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from shapeprof.issues import Issue
from shapeprof.metrics.bins import CONVEXITY_BINS, PER_OCTAVE
from shapeprof.metrics.strides import STRIDES
from shapeprof.profile.class_view import ClassView
from shapeprof.profile.profile import Profile
from shapeprof.recommend.recommend import Alternative, Decision, Recommendation

from .text import bar, big, duration, percent, plural, printable, quantity, regrouped, short, spark

FAMILIAR = {
    "auxiliary-head": "A coarse residual network (FCN) with auxiliary heads",
    "skip": "A U-Net: residual encoder, long skip connections",
    "dilated": "A dilated residual network (DeepLabv3 style)",
    "skip+dilated": "A dilated encoder with long skips (DeepLabv3+ style)",
    "default": "The default: a U-Net with deep supervision",
}
TITLES = {
    "R0": "Enough?", "R1": "Detail", "R7": "Encoder", "R3": "Skips", "R6": "Context", "R4": "Heads",
}  # fmt: skip
KINDS = {
    "index": "class ids as grey values",
    "binary": "two values, object or not",
    "grey-multiples": "class ids times a step as grey values",
    "palette": "class ids with a palette",
    "colour": "a colour per class",
    "instance": "instance ids",
    "annotation": "drawn from annotations",
}
# Forward GMAC of training per second, its backward pass included in the time. CPU: whole runs on two
# Xeon cores reached 11 to 27, single steps 26 to 55. GPU: assumed, 10 TFLOP/s sustained.
CPU_GMACS, GPU_GMACS = 20.0, 5000.0 / 3
CROWDED = 0.2  # chosen: share of a class's objects from which crowding is noted
FEW = 10  # chosen: objects of a class from which it is
NESTED = 0.5  # share of a class in holes of another from which nesting is noted
LINED = 0.5  # chosen: share of a class's outline that ignored pixels line from which it is noted
# Marks and styles, most severe first.
SEVERITIES = {"error": ("!!", "bold red"), "warning": (" !", "yellow"), "info": (" ·", "dim")}


@dataclass(frozen=True, slots=True)
class Place:
    """Where the masks and the results are, for the lines that can be pasted."""

    masks: str  # as the user typed it
    out: Path
    images: str | None = None
    options: tuple[str, ...] = ()  # scan options that the next command must repeat
    seconds: float = math.nan


def render(profile: Profile, recommendation: Recommendation, place: Place) -> RenderableType:
    """The whole report but for the lines to paste (``next_lines``)."""
    parts: list[RenderableType] = [_header(profile, place), _title("Train this")]
    parts += [_indented(p) for p in _answer(profile, recommendation)]
    parts += [_title("Why"), *(_indented(p) for p in _why(recommendation))]
    parts += [_title("Your masks"), *_masks(profile)]
    parts += [_title("How coarse may the output be?"), *_survival(profile, recommendation)]
    if recommendation.alternatives:
        parts += [_title("Other choices"), *_choices(recommendation)]
    parts += [_title("Before you train"), *_findings(profile, place), Text()]
    return Group(*parts)


def show(console: Console, profile: Profile, recommendation: Recommendation, place: Place) -> None:
    """Print the report."""
    console.print(render(profile, recommendation, place), highlight=False)
    for line in next_lines(place):
        console.print(line, soft_wrap=True)


def _title(text: str) -> RenderableType:
    return Group(Text(), Rule(Text(text, style="bold cyan"), align="left", style="cyan", characters="─"))


def _indented(part: RenderableType) -> RenderableType:
    return Padding(part, (0, 0, 0, 2))


def _header(profile: Profile, place: Place) -> RenderableType:
    ledger = profile.ledger
    views = profile.classes()
    objects = sum(v.measured for v in views)
    took = f" in {duration(place.seconds)}" if place.seconds >= 1 else ""
    line = f"{plural(ledger.read, 'mask')} read{took}: {KINDS[profile.encoding['kind']]}; "
    line += f"{plural(objects, 'object')} measured in {plural(len(views), 'class')}."
    details = [printable(reason) for reason in profile.encoding["reasons"]]
    failed = f"{plural(ledger.unreadable, 'file')} could not be read" if ledger.unreadable else "Nothing failed"
    empty = f", {plural(ledger.empty, 'mask')} without any object" if ledger.empty else ""
    sizes = sorted(profile.sizes)
    size = f"{sizes[0][1]}x{sizes[0][0]}" + (f" to {sizes[-1][1]}x{sizes[-1][0]}" if len(sizes) > 1 else "")
    details.append(f"{failed}{empty}; {plural(len(sizes), 'size')}, {size} px (width x height).")
    return Group(Text(line), *(_indented(Text(detail, style="dim")) for detail in details))


def _answer(profile: Profile, r: Recommendation) -> Iterator[RenderableType]:
    network, training, cost = r.network, r.training, r.cost
    stride = network.decoder.logit_stride
    fine = "full resolution" if stride == 1 else f"1/{stride} of the image's resolution (logit stride {stride})"
    yield Text.assemble((f"{FAMILIAR[r.design]}, output at {fine}.", "bold"))
    widths = f"{network.encoder.widths[0]} to {network.encoder.widths[-1]} channels"
    yield Text(
        f"{big(cost.parameters)} parameters ({widths}), {big(cost.macs)}MAC a crop. "
        f"Crop {training.crop[1]} x {training.crop[0]} at {_scale(profile)}, batch {training.batch}, "
        f"{training.steps:,} steps."
    )
    yield Text(_connections(r))
    gpu, cpu = _training_seconds(r)
    yield Text(
        f"Estimates: {cost.memory_gb:.1f} GB to train in float32; {duration(gpu)} on a GPU that sustains 10 TFLOP/s, "
        f"{duration(cpu)} on 2 CPU cores.",
        style="dim",
    )
    if r.tie:
        yield Text(r.tie, style="yellow")


def _training_seconds(r: Recommendation) -> tuple[float, float]:
    gmacs = r.cost.macs * r.training.batch * r.training.steps / 1e9
    return gmacs / GPU_GMACS, gmacs / CPU_GMACS


def _scale(profile: Profile) -> str:
    size = profile.arguments.get("train_size")
    return f"a shorter side of {size} px" if size else "native scale"


def _connections(r: Recommendation) -> str:
    network = r.network

    def at(strides: Iterator[int]) -> str:
        places = [f"1/{s}" for s in strides]
        return places[0] if len(places) == 1 else ", ".join(places[:-1]) + " and " + places[-1]

    skips = network.decoder.skip_strides
    parts = [f"Long skips carry detail from {at(iter(skips))}" if skips else "No long skips"]
    if network.auxiliary_heads:
        weight = network.auxiliary_heads[0].weight
        parts.append(
            f"auxiliary heads at {at(h.stride for h in network.auxiliary_heads)} (training only, weight {weight:g})"
        )
    else:
        parts.append("no auxiliary heads")
    if network.deep_supervision:
        parts.append(f"deep supervision at {at(h.stride for h in network.deep_supervision)} (training only)")
    stride = network.encoder.output_stride
    dilated = "dilated to" if max(network.encoder.stage_dilations) > 1 else "down to"
    parts.append(f"encoder {dilated} 1/{stride} (output stride {stride})")
    if network.context and network.context.kind == "aspp":
        rates = ", ".join(map(str, network.context.rates))
        word = "rates" if len(network.context.rates) > 1 else "rate"
        parts.append(f"then ASPP (parallel dilated convolutions, {word} {rates}) for a wider view")
    return "; ".join(parts) + "."


def _why(r: Recommendation) -> Iterator[RenderableType]:
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold", no_wrap=True)
    table.add_column()
    for decision in r.decisions:
        if decision.rule == "R0" and not decision.abstains and "Too few" not in decision.reason:
            continue
        table.add_row(TITLES[decision.rule], _decision(decision))
    if r.design != "default":
        table.add_row("Convexity", Text(_convexity(r)))
    yield table


def _decision(d: Decision) -> Text:
    text = Text(printable(d.reason))
    facts = []
    low, high = d.interval
    if not math.isnan(low) and d.statistic not in ("images", ""):
        facts.append(f"{d.statistic} {short(d.measured)} [{short(low)}, {short(high)}], threshold {short(d.threshold)}")
    if not math.isnan(d.agreement):
        facts.append(f"{percent(d.agreement)} of resamples agree")
    if d.flips_when:
        facts.append(f"flips: {printable(d.flips_when)}")
    if facts and d.rule != "R0":
        text.append(f"\n{d.rule}: {'; '.join(facts)}", style="dim")
    return text


def _convexity(r: Recommendation) -> str:
    head = r.decision("R4")
    value = (
        "" if head is None or math.isnan(head.measured) else f"{head.measured:.2f} (area / convex-hull area), and it "
    )
    if not r.convexity_decides:
        return f"{value or 'It '}decides nothing here: with any convexity the design would be the same. Width decides."
    return f"{value or 'It '}decides the auxiliary heads; width against stride decides everything else."


def _masks(profile: Profile) -> Iterator[RenderableType]:
    table = Table.grid(padding=(0, 2))
    table.add_column(max_width=18, overflow="fold")  # the only column that gives way to a narrow terminal
    table.add_column(justify="right", no_wrap=True)
    table.add_column(justify="right", no_wrap=True)
    for _ in range(3):
        table.add_column(no_wrap=True)
    table.add_row(
        *(Text(t, style="dim") for t in ("", "objects", "pixels", "across, px", "local width, px", "convexity 0 .. 1"))
    )
    for view in profile.classes():
        table.add_row(
            Text(printable(view.name)),
            f"{view.measured:,}",
            percent(profile.pixel_share(view)),
            f"{quantity(view.length('extent', 0.5)):>5} {_log_spark(view, 'extent', 8, 1024)}",
            f"{_width(view):>5} {_log_spark(view, 'width_pixels', 1, 64)}",
            f"{_number(view.convexity(0.5)):>5} {_convexity_spark(view)}",
        )
    yield _indented(table)
    yield _indented(Text(_counts(profile), style="dim"))


def _width(view: ClassView) -> str:
    w = view.length("width_pixels", 0.5)
    return "63+" if w > 60 else quantity(w)


def _number(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.3f}"


def _log_spark(view: ClassView, name: str, low: int, high: int) -> str:
    half = PER_OCTAVE // 2
    edges = list(range(int(PER_OCTAVE * math.log2(low)) - half // 2, int(PER_OCTAVE * math.log2(high)) + half, half))
    edges = [max(0, e) for e in edges[::2]]
    return spark(regrouped(view.histogram(name), edges))


def _convexity_spark(view: ClassView) -> str:
    edges = [round(k * (CONVEXITY_BINS - 1) / 10) for k in range(11)]
    return spark(regrouped(view.histogram("convexity"), edges))


def _counts(profile: Profile) -> str:
    views = profile.classes()
    found = sum(v.found for v in views)
    floor = profile.arguments.get("floor", 32)
    small = found - sum(v.measured for v in views)
    cut = sum(int(v.total("truncated")) for v in views)
    whole = [printable(v.name) for v in views if not v.untruncated_only]
    text = (
        f"Middle values and histograms per class. Found {found:,} objects = measured {found - small:,} "
        f"({cut:,} of them cut by the image border) + {small:,} under {floor} px. Across: longest box side. "
        f"Local width: the widest disc that fits inside, by area. Convexity: area / hull area, 1 is convex."
    )
    if whole:
        text += f" Shapes include cut objects where those hold most of the area: {', '.join(whole[:6])}."
    sampled = max((int(v.total("sampled_images")) for v in views), default=0)
    if len(profile.sample) < profile.images:
        text += f" Width and survival are from {len(profile.sample)} sampled masks."
    return text if sampled else text + " No mask was sampled."


def _survival(profile: Profile, r: Recommendation) -> Iterator[RenderableType]:
    views = {v.name: v for v in profile.classes()}
    view = views.get(r.binding_class or "") or next(iter(views.values()), None)
    if view is None:
        yield _indented(Text("No object, no answer."))
        return
    yield _indented(
        Text(
            f"What survives of {printable(view.name)} when a network's finest output has this stride and is enlarged "
            f"again (area by IoU; objects of 200 px or more that keep half of themselves).",
            style="dim",
        )
    )
    optimised = view.total("best_images") > 0
    titles = ["output", "area a network could keep", "", *["at best"] * optimised, "objects kept", ""]
    table = Table.grid(padding=(0, 2))
    for title in titles:
        table.add_column(justify="left" if title.startswith(("output", "area")) else "right", no_wrap=True)
    table.add_row(*(Text(t, style="dim") for t in titles))
    chosen = r.network.decoder.logit_stride
    for stride in (1, *STRIDES):
        kept = view.survival(stride)
        mark = "◀ this" if stride == chosen else ""
        best = [percent(view.survival(stride, "best"))] * optimised
        row = (f"1/{stride}", bar(kept, 24), percent(kept), *best, percent(view.recall(stride)), mark)
        table.add_row(*row, style="bold" if mark else "")
    yield _indented(table)
    if optimised:
        n = plural(int(view.total("best_images")), "mask")
        yield _indented(Text(f"At best: logits optimised for the mask itself, on {n}.", style="dim"))
    if len(r.limits) > 1:
        each = ", ".join(f"{printable(name)} 1/{stride}" for name, stride in r.limits)
        yield _indented(Text(f"The coarsest output that each class allows: {each}.", style="dim"))


def _choices(r: Recommendation) -> Iterator[RenderableType]:
    table = Table.grid(padding=(0, 2))
    table.add_column()
    for _ in range(4):
        table.add_column(justify="right", no_wrap=True)
    table.add_row(*(Text(t, style="dim") for t in ("", "output", "keeps", "compute", "params")))
    table.add_row(
        Text(f"{r.design} (recommended)", style="bold"), f"1/{r.network.decoder.logit_stride}",
        percent(r.kept), "1.0x", big(r.cost.parameters),
    )  # fmt: skip
    for a in r.alternatives:
        table.add_row(_choice(a, r), f"1/{a.logit_stride}", _price(a), f"{a.macs_ratio:.1f}x", big(a.parameters))
    yield _indented(table)
    yield _indented(
        Text(
            "Keeps: the share of the worst class that this output could represent (a ceiling from the masks, "
            "not a predicted IoU), and how it differs from the recommended design's for that class.",
            style="dim",
        )
    )


def _choice(a: Alternative, r: Recommendation) -> Text:
    text = Text(a.label)
    if a == r.runner_up:
        text.append(" (runner-up)", style="green")
    if a.network == r.network:
        text.append(" (the same network)", style="green")
    text.append(f": {printable(a.note)}", style="dim")
    return text


def _price(a: Alternative) -> str:
    points = round(a.kept_difference * 100)
    return f"{percent(a.kept)} ({points:+d})" if points else f"{percent(a.kept)} (tie)"


def _findings(profile: Profile, place: Place) -> Iterator[RenderableType]:
    grouped: dict[tuple[str, str], list[Issue]] = {}
    for issue in profile.issues:
        grouped.setdefault((issue.severity, issue.code), []).append(issue)
    for severity, (mark, style) in SEVERITIES.items():
        for (level, _), issues in grouped.items():
            if level == severity:
                yield _indented(_finding(issues, mark, style))
    for note in _shape_notes(profile):
        yield _indented(Text(f" · {note}"))
    ledger = profile.ledger
    yield _indented(
        Text(
            f" · {ledger.files:,} mask files: {ledger.read:,} read ({ledger.empty:,} without objects), "
            f"{ledger.unreadable:,} unreadable; {ledger.skipped:,} other files left out",
            style="dim",
        )
    )
    rows = sum(v.found for v in profile.classes())
    yield _indented(Text(f" · kept in {place.out}: profile.json, objects.parquet ({rows:,} rows)", style="dim"))


def _finding(issues: list[Issue], mark: str, style: str) -> Text:
    text = Text(f"{mark} ", style=style)
    first = issues[0]
    where = f"{printable(first.path)}: " if first.path else ""
    text.append(f"{where}{printable(first.message)}", style="")
    if len(issues) > 1:
        others = ", ".join(printable(i.path) for i in issues[1:3])
        more = f" and {len(issues) - 3:,} more" if len(issues) > 3 else ""
        text.append(f" The same: {others}{more}.", style="dim")
    return text


def _shape_notes(profile: Profile) -> Iterator[str]:
    for view in profile.classes():
        name, reliable = printable(view.name), view.total("reliable")
        if view.measured and reliable / view.measured < 0.6:
            share = 1 - reliable / view.measured
            yield f"{percent(share)} of the {name} objects are under 200 px: too small to read their convexity from"
        if not math.isnan(view.length("width_pixels", 0.1)) and view.length("width_pixels", 0.1) < 2:
            yield f"a tenth of {name} is under 2 px wide: never shrink these images"
        yield from _crowding_notes(view)
    yield from _void_notes(profile)
    for nested in profile.nested():
        outer, inner = (printable(profile.name_of(c)) for c in (nested.outer, nested.inner))
        if nested.share_of_inner > NESTED:
            yield (
                f"{percent(nested.share_of_inner)} of {inner} lies in holes of {outer}: "
                f"{outer}'s convexity is low for that reason"
            )


def _void_notes(profile: Profile) -> Iterator[str]:
    lined = [v for v in profile.classes() if v.measured >= FEW and v.ignored_boundary_share > LINED]
    band = profile.void_width(0.5)
    hidden = [str(s) for s in STRIDES if s <= band]
    if lined and hidden:
        names = ", ".join(printable(v.name) for v in lined[:4]) + (" and others" if len(lined) > 4 else "")
        yield (
            f"ignored pixels line more than half of the outlines of {names}, half of them in bands up to "
            f"{quantity(band)} px wide: what strides up to {hidden[-1]} lose at a boundary falls into them and is not "
            f"counted, so that those strides look better than they are"
        )


def _crowding_notes(view: ClassView) -> Iterator[str]:
    name = printable(view.name)
    if view.measured >= FEW and view.touching_share > CROWDED:
        yield (
            f"{percent(view.touching_share)} of the {name} objects touch another one: in a semantic mask they grow "
            f"together; use instance ids or a boundary class"
        )
    if view.total("judged") >= FEW and view.suspected_merged_share > CROWDED:
        yield (
            f"{percent(view.suspected_merged_share)} of the {name} objects look like several that touch: "
            f"its convexity says crowding, not complexity; use instance ids or a boundary class"
        )


def next_lines(place: Place) -> Iterator[Text]:
    """What to type next. Never wrapped, so that it can be pasted."""
    parts = ["shapeprof", "export", place.masks, "--images", place.images or "IMAGES", "-o", "my-net", *place.options]
    command = " ".join(p if p == "IMAGES" else shlex.quote(printable(p)) for p in parts)
    yield Text.assemble(("Next  ", "bold"), command)
    yield Text("      python my-net/train.py")
    yield Text.assemble(("Doubt ", "bold"), "shapeprof explain R1", ("   (any rule or metric)", "dim"))
