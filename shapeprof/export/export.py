"""From a recommendation to a folder that trains: the spec, the data as the trainer reads it, the emitted files."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from shapeprof.design.cost import cost
from shapeprof.design.spec import (
    FAMILIAR,
    ClassSpec,
    DerivedSpec,
    InputSpec,
    ModelSpec,
    Provenance,
    Rationale,
    SplitSpec,
)
from shapeprof.errors import OutputError, UsageError
from shapeprof.issues import Issue
from shapeprof.options import DEFAULT_TARGET
from shapeprof.profile.profile import Profile
from shapeprof.progress import Progress
from shapeprof.recommend.decision import USER, Decision, Recommendation
from shapeprof.recommend.overrides import normalisation
from shapeprof.sources import Encoding
from shapeprof.targets.target import EmittedFile, Target, find_target
from shapeprof.version import __version__
from shapeprof.writing import write

from .dataset import Dataset, image_statistics, match, table_of, write_dataset

MULTI_LABEL_CLASSES = 15  # at most, of the bit fields that nn/data.py reads
KEPT = "before"  # folder for files of an earlier export, which users may have changed
NO_DATA = "dataset.csv and the masks: export again with --images FOLDER to pair them"
MARKER = "spec.yaml"  # a folder that holds it is an earlier export and may be written over

Task = Literal["multi-class", "multi-label"]


@dataclass(frozen=True)
class Export:
    """What was written, and what was not."""

    folder: Path
    spec: ModelSpec
    files: tuple[str, ...]
    target: Target
    pairs: int = 0
    train: int = 0
    val: int = 0
    rewritten_masks: int = 0  # masks that were not plain index PNG
    missing: tuple[str, ...] = ()  # what is still needed before training, as sentences
    issues: tuple[Issue, ...] = field(default=())


def export_model(
    profile: Profile,
    recommendation: Recommendation,
    out: Path,
    *,
    masks: Path | None = None,
    images: Path | None = None,
    target: str = DEFAULT_TARGET,
    group: str | None = None,
    progress: Progress | None = None,
    multi_label: bool = False,
) -> Export:
    """Write the recommended model as a folder that trains.

    Args:
        profile: of the masks.
        recommendation: for that profile.
        out: new or empty folder, or an earlier export, which is written over; what it has otherwise is put aside.
        masks: the mask folder; default: where the profile was made.
        images: folder of the images; without it everything but the data is written.
        target: its name, as `--to` takes it.
        group: regular expression with one capture group over mask paths; images of one group stay in one split.
        progress: called with masks done and masks in all.
        multi_label: a pixel keeps all its classes where they overlap.

    Raises:
        OutputError: ``out`` holds something else or can't be written.
        UsageError: ``multi_label``, and classes can't overlap in these masks, or are too many.
        PairingError, InputError: images and masks don't match, or can't be read.
    """
    chosen = find_target(target)
    _check(out)
    task: Task = "multi-label" if multi_label else "multi-class"
    classes = _multi_label_classes(profile) if multi_label else _class_ids(profile)
    ids = {old: new for new, old in enumerate(classes)}
    size = profile.arguments.get("train_size")
    if images is None or not chosen.needs_dataset:
        unseen = _as_trained_on(InputSpec(train_size=size), recommendation)
        spec = build_spec(profile, recommendation, ids, unseen, "none", task)
        files, replaced = _emitted(out, chosen.emit(spec))
        missing = (NO_DATA,) if chosen.needs_dataset else ()
        return Export(out, spec, files, chosen, missing=missing, issues=replaced)
    matched = match(profile, masks, images, group)
    seen = _as_trained_on(image_statistics(matched, size), recommendation)
    share = matched.masks_per_image if multi_label else 1.0
    spec = build_spec(profile, recommendation, ids, seen, matched.split_source, task, share)
    files, replaced = _emitted(out, chosen.emit(spec))
    dataset = write_dataset(profile, matched, out, ids, progress, multi_label=multi_label)
    files += _written(out, (EmittedFile("dataset.csv", table_of(dataset)),))
    issues = (*replaced, *matched.pairing.issues, *dataset.issues)
    return _with_data(Export(out, spec, files, chosen, issues=issues), dataset)


def _with_data(result: Export, dataset: Dataset) -> Export:
    """``result`` with the counts of the pairs that were written."""
    splits = [row.split for row in dataset.rows]
    train, val = splits.count("train"), splits.count("val")
    return replace(result, pairs=len(splits), train=train, val=val, rewritten_masks=dataset.rewritten)


def next_lines(result: Export) -> tuple[str, ...]:
    """What to type next, ready to paste: the target's own lines; none while something is missing."""
    return () if result.missing else result.target.next_lines(result.folder)


def _emitted(out: Path, files: tuple[EmittedFile, ...]) -> tuple[tuple[str, ...], tuple[Issue, ...]]:
    """Write the target's files; return their paths and what was put aside for them."""
    replaced = _kept(out, files)
    return _written(out, files), replaced


def _check(out: Path) -> None:
    if out.exists() and not out.is_dir():
        raise OutputError(f"{out}: is a file; give -o a new or empty folder")
    if out.is_dir() and any(out.iterdir()) and not (out / MARKER).is_file():
        names = ", ".join(sorted(p.name for p in out.iterdir())[:3])
        raise OutputError(f"{out}: exists and holds something else ({names}); give -o a new or empty folder")


def _written(out: Path, files: tuple[EmittedFile, ...]) -> tuple[str, ...]:
    """Write ``files`` below ``out``; returns their paths."""
    for file in files:
        write(out / file.path, file.content)
    return tuple(file.path for file in files)


def _kept(out: Path, files: tuple[EmittedFile, ...]) -> tuple[Issue, ...]:
    """Put aside what an earlier export in ``out`` has otherwise than ``files``: it may be the user's own work."""
    others = [file.path for file in files if (out / file.path).is_file() and not _equal(out / file.path, file)]
    if not others:
        return ()
    number = 1
    while (aside := out / f"{KEPT}-{number}").exists():
        number += 1
    for path in others:
        write(aside / path, (out / path).read_bytes())
    names = ", ".join(others[:3]) + (", ..." if len(others) > 3 else "")
    return (Issue("warning", "export-replaced", f"{names} differed and were replaced; kept in {aside}"),)


def _equal(path: Path, file: EmittedFile) -> bool:
    content = file.content.encode("utf-8", "surrogateescape") if isinstance(file.content, str) else file.content
    return path.read_bytes() == content


# The spec -------------------------------------------------------------------------------------


def _as_trained_on(images: InputSpec, recommendation: Recommendation) -> InputSpec:
    """``images`` as a published encoder saw them: RGB, with its mean and std."""
    published = normalisation(recommendation.network)
    if published is None:
        return images
    mean, std = published
    return InputSpec(channels=len(mean), mean=mean, std=std, train_size=images.train_size)


def _class_ids(profile: Profile) -> list[int]:
    """Every class id that the masks hold or the table names, ascending; their positions are the exported ids.

    Raises:
        UsageError: there are fewer than two.
    """
    ids = sorted({*range(len(profile.names)), *profile.totals})
    if len(ids) < 2:
        raise UsageError(
            f"these masks hold one class, {profile.name_of(ids[0])}, and no background: nothing to tell apart; "
            "scan again with --background VALUE, or without --ignore-index"
            if ids
            else "this profile holds no class: scan its masks again"
        )
    return ids


def _multi_label_classes(profile: Profile) -> list[int]:
    """``_class_ids`` without the background, which is no class where a pixel may be of none.

    Raises:
        UsageError: classes can't overlap in these masks, or are too many for a bit field.
    """
    encoding = Encoding.from_dict(profile.encoding)
    if not encoding.classes_may_overlap:
        raise UsageError(
            f"--multi-label: these masks ({encoding.kind}) hold one class a pixel, so classes can't overlap; expected "
            "masks of one class each, named by folders or file endings (--layout classes) or as pages of a file "
            "(--pages classes), or annotations. Export without it"
        )
    if profile.background is None:
        raise UsageError(
            "--multi-label: no class of this profile is background, so what is of no class would be one; scan again "
            "without --background none"
        )
    ids = sorted({*range(len(profile.names)), *profile.totals} - {profile.background})
    if len(ids) > MULTI_LABEL_CLASSES:
        raise UsageError(
            f"--multi-label: {len(ids)} classes; its masks hold {MULTI_LABEL_CLASSES} at most. Take some together with "
            "--merge-classes or leave some out with --exclude-class"
        )
    return ids


def build_spec(
    profile: Profile,
    recommendation: Recommendation,
    ids: dict[int, int],
    input_spec: InputSpec,
    split: Literal["folders", "random", "none"],
    task: Task = "multi-class",
    masks_per_image: float = 1.0,
) -> ModelSpec:
    """The complete spec.

    ``ids`` maps the profile's class ids to 0 .. K-1. ``masks_per_image``: how often the profile counts an image's
    pixels; shares of pixels are of the image.
    """
    encoding = Encoding.from_dict(profile.encoding)
    views = {v.id: v for v in profile.classes()}
    network, training = recommendation.network, recommendation.training
    valid = max(1, profile.pixels - profile.ignored)
    counted = cost(network, len(ids), input_spec.channels, training.crop, training.batch)

    def share(old: int) -> float:
        if old == profile.background:
            return profile.background_pixels / valid
        return min(1.0, masks_per_image * views[old].total("pixels") / valid) if old in views else 0.0

    return ModelSpec(
        design=recommendation.design,
        task=task,
        classes=tuple(
            ClassSpec(id=new, name=profile.name_of(old), raw_values=encoding.raw_values_of(old), pixel_share=share(old))
            for old, new in ids.items()
        ),
        background=None if profile.background is None else ids.get(profile.background),
        input=input_spec,
        model=network,
        derived=DerivedSpec(
            parameters=counted.parameters,
            macs=counted.macs,
            receptive_field=counted.receptive_field,
            effective_receptive_field=counted.effective_receptive_field and round(counted.effective_receptive_field, 1),
            input_multiple=counted.input_multiple,
            memory_gb=round(counted.memory_gb, 2),
        ),
        training=training,
        split=SplitSpec(source=split),
        rationale=tuple(_rationale(d) for d in recommendation.decisions),
        provenance=Provenance(
            version=__version__,
            profile_fingerprint=profile.fingerprint,
            images=profile.images,
            objects=sum(v.measured for v in views.values()),
        ),
    )


def _rationale(d: Decision) -> Rationale:
    def known(value: float) -> float | None:
        return None if math.isnan(value) else float(f"{value:.6g}")

    low, high = (known(v) for v in d.interval)
    return Rationale(
        rule=d.rule,
        name=d.name,
        sets=d.parts,
        value=list(d.value) if isinstance(d.value, tuple) else d.value,
        reason=d.reason,
        statistic=d.statistic or None,
        measured=known(d.measured),
        interval=None if low is None or high is None else (low, high),
        threshold=known(d.threshold),
        agreement=known(d.agreement),
        binding_class=d.binding_class,
        flips_when=d.flips_when or None,
    )


def describe(result: Export) -> Iterator[str]:
    """Lines that say what was exported and what to do next."""
    spec = result.spec
    numbers = f"{spec.derived.parameters:,} parameters, {len(spec.classes)} classes"
    yield f"{result.folder}: {FAMILIAR[spec.design]}, {numbers}"
    if result.pairs:
        source = "folders of the data" if spec.split.source == "folders" else "a hash of the names"
        yield f"{result.pairs:,} pairs: {result.train:,} train, {result.val:,} val (split by {source})"
        if result.rewritten_masks:
            form = "bit fields, bit c for class c" if spec.task == "multi-label" else "index PNG"
            yield f"{result.rewritten_masks:,} masks rewritten as {form}, under {result.folder / 'masks'}"
    for rationale in spec.rationale:
        if rationale.rule == USER:
            yield rationale.reason
    yield from (f"missing: {what}" for what in result.missing)


def to_json(result: Export, verification: dict[str, Any] | None = None) -> str:
    """The export as JSON. ``verification``: results of its quick checks; None: nothing was checked."""
    data: dict[str, Any] = {
        "folder": str(result.folder),
        "design": result.spec.design,
        "files": list(result.files),
        "pairs": result.pairs,
        "train": result.train,
        "val": result.val,
        "rewritten_masks": result.rewritten_masks,
        "missing": list(result.missing),
        "findings": [
            {"severity": i.severity, "code": i.code, "message": i.message, "path": i.path} for i in result.issues
        ],
        "spec_digest": result.spec.digest(),
        "verification": verification,
    }
    return json.dumps(data, indent=2)
