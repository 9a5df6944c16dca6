"""The numbers and sentences of a report, once: terminal, JSON and other views only lay them out."""

from __future__ import annotations

import math
import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from shapeprof.design.spec import FAMILIAR
from shapeprof.findings.finding import Finding
from shapeprof.metrics.registry import all_metrics
from shapeprof.metrics.strides import STRIDES
from shapeprof.profile.class_view import ClassView
from shapeprof.profile.profile import Profile
from shapeprof.recommend.decision import Decision, Recommendation
from shapeprof.wording import big, brief, duration, listed, percent, plural, printable, short

from .histograms import convexity_counts, length_counts

MOST_CLASSES = 6  # rows of the class table on the first screen
MOST_REASONS = 5  # sentences that say why
KINDS = {
    "index": "class ids as grey values",
    "binary": "two values, object or not",
    "grey-multiples": "class ids times a step",
    "palette": "class ids with a palette",
    "colour": "a colour per class",
    "instance": "instance ids",
    "annotation": "drawn from annotations",
}
SAFE = "U-Net with deep supervision (the default)"  # where there is too little to decide from
LOSSES = {
    "ce": "cross-entropy",
    "weighted-ce": "weighted cross-entropy",
    "ohem": "hard-pixel cross-entropy (OHEM)",
    "dice": "Dice",
    "tversky": "Tversky",
    "cldice": "clDice",
}


@dataclass(frozen=True, slots=True)
class Place:
    """Where the masks and the results are, for the lines that can be pasted."""

    masks: str  # as the user typed it
    out: Path
    images: str | None = None
    options: tuple[str, ...] = ()  # scan options that the next command must repeat
    seconds: float = math.nan


@dataclass(frozen=True, slots=True)
class Reason:
    """One sentence about why, under the title of its decision."""

    title: str
    text: str


@dataclass(frozen=True, slots=True)
class ClassRow:
    """One class in the table of classes. Histograms are counts from left to right."""

    name: str
    objects: int
    pixel_share: float
    across: float  # px, middle value
    across_counts: tuple[float, ...]
    width: float  # px
    width_counts: tuple[float, ...]
    convexity: float
    convexity_counts: tuple[float, ...]
    extra: dict[str, float]  # further columns, by head: metrics that are declared to be in the report


@dataclass(frozen=True, slots=True)
class StrideRow:
    """What one output resolution keeps of the class that needs the finest."""

    stride: int
    area: float
    objects: float
    best: float  # NaN unless it was measured
    chosen: bool


@dataclass(frozen=True, slots=True)
class Choice:
    """One network beside the recommended one."""

    label: str
    note: str
    stride: int
    keeps: float
    difference: float  # of keeps; 0 for a tie and the recommended one
    compute: float  # as a multiple of the recommended one
    parameters: int
    recommended: bool = False


@dataclass(frozen=True, slots=True)
class Detail:
    """The record of one decision: everything needed to doubt it."""

    title: str
    rule: str
    reason: str
    record: str  # statistic, interval, threshold, agreement and what flips it; "" where nothing was measured


@dataclass(frozen=True, slots=True)
class Summary:
    """Everything that a report says, in the order in which it says it."""

    header: tuple[str, ...]
    network: str
    facts: dict[str, str]  # label -> text
    tie: str
    why: tuple[Reason, ...]
    unseen: tuple[str, ...]  # what was not looked at, in a few words each
    unseen_whole: tuple[str, ...]  # the same in sentences
    classes: tuple[ClassRow, ...]
    hidden_classes: int
    counts: str
    class_for_strides: str
    strides: tuple[StrideRow, ...]
    strides_note: str
    choices: tuple[Choice, ...]
    findings: tuple[Finding, ...]
    next: tuple[str, ...]  # commands
    kept_in: str  # where the profile lies
    reading: tuple[str, ...]  # details from here on: how the masks were read
    connections: str
    decisions: tuple[Detail, ...] = field(default=())


def summarise(
    profile: Profile, r: Recommendation, findings: tuple[Finding, ...], place: Place, *, details: bool = False
) -> Summary:
    """The summary of a profile and its recommendation; with ``details`` every class has its row."""
    views = _shown_classes(profile, r, len(profile.classes()) if details else MOST_CLASSES)
    return Summary(
        header=tuple(_header(profile, place)),
        network=f"{_familiar(r)}, output at {resolution(r.network.decoder.logit_stride)}.",
        facts=_facts(profile, r),
        tie=r.tie,
        why=tuple(_why(r)),
        unseen=tuple(sentence.split(":")[0] for sentence in r.unseen),
        unseen_whole=r.unseen,
        classes=tuple(_class_row(profile, view) for view in views),
        hidden_classes=len(profile.classes()) - len(views),
        counts=_counts(profile),
        class_for_strides=getattr(_stride_view(profile, r), "name", ""),
        strides=tuple(_strides(profile, r)),
        strides_note=_strides_note(r),
        choices=tuple(_choices(r)) if r.alternatives else (),
        findings=findings,
        next=tuple(_next(place)),
        kept_in=f"{place.out}: profile.json, objects.parquet ({sum(v.found for v in profile.classes()):,} rows)",
        reading=tuple(profile.encoding["reasons"]),
        connections=_connections(r),
        decisions=tuple(_detail(d) for d in r.decisions),
    )


def _familiar(r: Recommendation) -> str:
    """The network by the name that a colleague knows."""
    if any(decision.abstains for decision in r.decisions):
        return SAFE
    wide = " and ASPP" if r.network.context is not None and r.design in ("skip", "default") else ""
    return FAMILIAR[r.design] + wide


def resolution(stride: int) -> str:
    """The resolution of an output in words."""
    return {1: "full resolution", 2: "half resolution", 4: "quarter resolution"}.get(stride, f"1/{stride} resolution")


# The header and the answer ----------------------------------------------------------------------


def _header(profile: Profile, place: Place) -> Iterator[str]:
    ledger, views = profile.ledger, profile.classes()
    took = f" in {duration(place.seconds)}" if place.seconds >= 1 else ""
    yield (
        f"{plural(ledger.read, 'mask')} read{took}: {KINDS[profile.encoding['kind']]}; "
        f"{plural(sum(v.measured for v in views), 'object')} in {plural(len(views), 'class')}."
    )
    sizes = sorted(profile.sizes)
    size = f"{sizes[0][1]}x{sizes[0][0]}" + (f" to {sizes[-1][1]}x{sizes[-1][0]}" if len(sizes) > 1 else "")
    failed = f"{plural(ledger.unreadable, 'file')} could not be read" if ledger.unreadable else "nothing failed"
    empty = f"{plural(ledger.empty, 'mask')} without objects, " if ledger.empty else ""
    yield f"{plural(len(sizes), 'size')}, {size} px; {empty}{failed}."


def _facts(profile: Profile, r: Recommendation) -> dict[str, str]:
    training, cost = r.training, r.cost
    gpu, cpu = r.seconds
    train_size = profile.arguments.get("train_size")
    scale = f"shorter side {train_size} px" if train_size else "full size"
    behind = training.batch * training.accumulate
    crops = f"{training.batch} crops" if training.accumulate == 1 else f"{behind} crops ({training.batch} at a time)"
    return {
        "Model": f"{big(cost.parameters)} parameters",
        "Crop": f"{training.crop[1]} x {training.crop[0]} px, {scale}",
        "Compute": f"{big(cost.macs)}MAC a crop",
        "Training": f"{training.steps:,} steps of {crops}",
        "Memory": f"{cost.memory_gb:.1f} of {r.thresholds.memory_gb:g} GB",
        "Time": f"{duration(gpu)} on a GPU, {duration(cpu)} on 2 cores",
        "Loss": " + ".join(LOSSES.get(term, term) for term in training.loss.split("+")),
        **({"Judge by": ", ".join(r.judge_by.scores)} if r.judge_by else {}),
    }


def _connections(r: Recommendation) -> str:
    """How the network is wired, in the words of the field."""
    network = r.network
    skips = network.decoder.skip_strides
    parts = [f"Long skips carry detail from {_at(skips)}" if skips else "No long skips"]
    heads = [h.stride for h in network.auxiliary_heads]
    weight = f" (training only, weight {network.auxiliary_heads[0].weight:g})" if heads else ""
    parts.append(f"auxiliary heads at {_at(heads)}{weight}" if heads else "no auxiliary heads")
    if network.deep_supervision:
        parts.append(f"deep supervision at {_at([h.stride for h in network.deep_supervision])} (training only)")
    stride = network.encoder.output_stride
    dilated = "dilated to" if max(network.encoder.stage_dilations) > 1 else "down to"
    parts.append(f"encoder {dilated} 1/{stride} (output stride {stride})")
    if network.context and network.context.kind == "aspp":
        rates = network.context.rates
        word = "rates" if len(rates) > 1 else "rate"
        parts.append(f"then ASPP (parallel dilated convolutions, {word} {', '.join(map(str, rates))})")
    widths = network.encoder.widths
    parts.append(f"{widths[0]} to {widths[-1]} channels")
    return "; ".join(parts) + "."


def _at(strides: Sequence[int]) -> str:
    return listed([f"1/{stride}" for stride in strides], len(strides))


# Why --------------------------------------------------------------------------------------------


def _why(r: Recommendation) -> Iterator[Reason]:
    """What decided about the output, then what else differs from the default network, then convexity."""
    silent = next((d for d in r.decisions if d.abstains), None)
    first = silent or r.decision_on("model.decoder.logit_stride")
    others = [d for d in r.decisions if d.changed and d is not first]
    others.sort(key=lambda d: not any(part.startswith("model.") for part in d.parts))
    for decision in [*([first] if first else []), *others][: MOST_REASONS - 1]:
        yield Reason(decision.title, plain(decision.reason))
    yield Reason("Convexity", _convexity(r, silent is not None))


def plain(reason: str) -> str:
    """The first sentence of a reason, without what stands in brackets."""
    first = re.split(r"(?<=[a-z%\d)])\. ", reason, maxsplit=1)[0]
    return re.sub(r" ?\([^()]*\)", "", first).rstrip(".") + "."


def _convexity(r: Recommendation, silent: bool) -> str:
    measured = next((d.measured for d in r.decisions if "convexity" in d.statistic), math.nan)
    value = "It" if math.isnan(measured) else f"{measured:.2f} of 1, and it"
    if silent:
        return f"{value} decides nothing here: there are too few masks or objects to decide from."
    if not r.convexity_decides:
        return f"{value} decides nothing here: width decides."
    return f"{value} decides the auxiliary heads; width decides everything else."


def _detail(d: Decision) -> Detail:
    facts = []
    low, high = d.interval
    if not math.isnan(low) and d.statistic:
        measured = f"{d.statistic} {short(d.measured)} [{short(low)}, {short(high)}]"
        facts.append(measured + ("" if math.isnan(d.threshold) else f", threshold {short(d.threshold)}"))
    if not math.isnan(d.agreement):
        facts.append(f"{percent(d.agreement)} of resamples agree")
    if d.flips_when:
        facts.append(f"flips: {d.flips_when}")
    return Detail(d.title, d.rule, d.reason, "; ".join(facts))


# The tables -------------------------------------------------------------------------------------


def _shown_classes(profile: Profile, r: Recommendation, most: int) -> list[ClassView]:
    """The classes in the table, by id: those that need the finest output, then those with the most pixels."""
    need = {name: place for place, (name, _) in enumerate(r.limits)}
    views = profile.classes()
    chosen = sorted(views, key=lambda v: (need.get(v.name, len(views)), -v.total("pixels"), v.id))[:most]
    return sorted(chosen, key=lambda v: v.id)


def _class_row(profile: Profile, view: ClassView) -> ClassRow:
    return ClassRow(
        name=view.name,
        objects=view.measured,
        pixel_share=profile.pixel_share(view),
        across=view.quantile("box_length", 0.5),
        across_counts=length_counts(view.histogram("box_length"), 8, 1024),
        width=view.quantile("width_pixels", 0.5),
        width_counts=length_counts(view.histogram("width_pixels"), 1, 64),
        convexity=view.convexity(0.5),
        convexity_counts=convexity_counts(view.histogram("convexity")),
        extra=_extra(view),
    )


def _extra(view: ClassView) -> dict[str, float]:
    """The middle values of metrics that are declared to be in the report, by the head of their column."""
    shown = [metric for metric in all_metrics() if metric.in_report]
    return {m.title + (m.unit and f", {m.unit}"): view.quantile(m.key, 0.5) for m in shown}


def _counts(profile: Profile) -> str:
    """What was found, and what was measured of it."""
    views = profile.classes()
    found, measured = sum(v.found for v in views), sum(v.measured for v in views)
    cut = sum(int(v.total("truncated")) for v in views)
    floor = profile.arguments.get("floor", 32)
    return f"{found:,} found: {measured:,} measured ({cut:,} cut by the border), {found - measured:,} under {floor} px."


def _stride_view(profile: Profile, r: Recommendation) -> ClassView | None:
    views = {v.name: v for v in profile.classes()}
    return views.get(r.binding_class or "") or next(iter(views.values()), None)


def _strides(profile: Profile, r: Recommendation) -> Iterator[StrideRow]:
    view = _stride_view(profile, r)
    chosen = r.network.decoder.logit_stride
    for stride in (1, *STRIDES) if view is not None else ():
        assert view is not None
        best = view.survival(stride, "best") if view.total("best_images") else math.nan
        yield StrideRow(stride, view.survival(stride), view.recall(stride), best, stride == chosen)


def _strides_note(r: Recommendation) -> str:
    """The coarsest output that every other class allows."""
    others = [f"{brief(name)} at 1/{stride}" for name, stride in r.limits if name != r.binding_class]
    return f"The others need: {listed(others, 4, 30)}." if others else ""


def _choices(r: Recommendation) -> Iterator[Choice]:
    same = [a.label for a in r.alternatives if a.network == r.network and a != r.lesson]
    note = f"the same as {listed(same, 2, 40)}" if same else ""
    yield Choice("Recommended", note, r.network.decoder.logit_stride, r.kept, 0.0, 1.0, r.cost.parameters, True)
    for a in r.alternatives:
        if a.network != r.network:
            difference = 0.0 if abs(a.kept_difference) < r.thresholds.tie_points else a.kept_difference
            label = "By convexity alone" if a == r.lesson else a.label
            yield Choice(label, a.note, a.logit_stride, a.kept, difference, a.macs_ratio, a.parameters)


# What to type -----------------------------------------------------------------------------------


def _next(place: Place) -> Iterator[str]:
    words = ["shapeprof", "export", place.masks, "--images", place.images or "IMAGES", "-o", "my-net", *place.options]
    yield " ".join(word if word == "IMAGES" else shlex.quote(printable(word)) for word in words)
    yield "python my-net/train.py"
    yield f"shapeprof report {shlex.quote(printable(place.masks))} --details"
