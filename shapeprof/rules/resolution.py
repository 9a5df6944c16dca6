"""Rules about resolution: who may speak, how fine the logits are, what the encoder keeps, which skips."""

from __future__ import annotations

from shapeprof.profile.class_view import ClassView

from . import Finding, Knobs, effective_field, possible_skips, rule, wants_context
from .evidence import Evidence
from .thresholds import Thresholds

LOGIT_STRIDES = (1, 2, 4, 8, 16, 32)


@rule("R0", "validity")
def validity(evidence: Evidence, knobs: Knobs, t: Thresholds) -> Finding:
    """Whether the other rules may speak.

    What it decides: with too few images or objects, shape statistics say little about the next
    image; the recommendation is then the default design, a U-Net with deep supervision (logit
    stride 4, skips at 4, 8 and 16), and the report says so.

    Threshold: 10 images; 50 measured objects in a class for it to decide. Both chosen: with
    fewer, a 10 % quantile rests on under five objects and bootstrap intervals are too narrow to
    be believed. Classes with fewer objects are named and decide nothing alone.

    Example: 24 images with 300 cells and 12 needles: cells decide, needles are named.
    """
    enough = evidence.images >= t.min_images and bool(evidence.classes)
    few = ", ".join(f"{v.name} ({v.measured})" for v in evidence.too_few)
    if enough:
        reason = f"{evidence.images:,} images and {evidence.objects:,} measured objects are enough to decide."
        if few:
            reason += f" Too few objects to decide alone: {few}."
        return Finding({}, True, reason, "images", lambda e: float(e.images), t.min_images)
    if evidence.images < t.min_images:
        reason = f"{evidence.images} images; shape rules need {t.min_images}."
    else:
        reason = f"No class has {t.min_objects} objects" + (f": {few}." if few else ".")
    return Finding(
        {"deep_supervision": (8,)},
        False,
        reason + " The default design is used: a U-Net with deep supervision.",
        "images",
        lambda e: float(e.images),
        t.min_images,
        flips_when=f"with {t.min_images} images and {t.min_objects} objects of a class the rules decide",
        abstains=True,
    )


def coarsest_stride(view: ClassView, t: Thresholds) -> int:
    """Coarsest logit stride that keeps this class: survival and recall hold there and at all finer strides."""
    best = 1
    for stride in LOGIT_STRIDES[1:]:
        if view.survival(stride) < 1 - t.tolerance or view.recall(stride) < t.recall:
            break
        best = stride
    return best


@rule("R1", "logit-stride")
def logit_stride(evidence: Evidence, knobs: Knobs, t: Thresholds) -> Finding:
    """How fine the network's finest logits must be.

    What it decides: the logit stride, the coarsest of 1, 2, 4, 8, 16, 32 at which every deciding
    class keeps at least 1 - tolerance of itself (linear survival: class shares per cell, bilinear
    up-sampling, argmax, IoU) and at least 95 % of its objects of 200 px or more keep half of
    their pixels.

    Why: a network can't draw what its logits can't represent. Achieved IoU followed the best
    representable IoU with Pearson .94 over 28 trained cells of a pilot. Convexity does not enter:
    a straight crack has convexity 1 and still dies at stride 8.

    Threshold: tolerance .11 (``--tolerance``). The linear protocol is stricter than what logits
    can reach at best; .11 was fitted so that the rule gives what best survival >= .97 gives on
    five real sets.

    The class that binds is the one that needs the finest stride; the report also says what the
    stride would be without it.

    References: Long et al. 2015, appendix A; Cordts et al. 2016, table 3 (nearest protocol).
    """
    limits = {v.id: coarsest_stride(v, t) for v in evidence.classes}
    stride = min(limits.values())
    coarser = min(2 * stride, 32)
    binding = min(
        (v for v in evidence.classes if limits[v.id] == stride),
        key=lambda v: (v.survival(coarser), v.recall(coarser), v.id),
    )
    by_recall = stride < 32 and binding.survival(coarser) >= 1 - t.tolerance
    name, threshold = ("recall", t.recall) if by_recall else ("survival", 1 - t.tolerance)

    def read(e: Evidence) -> float:
        view = e.view(binding.id)
        return view.recall(coarser) if by_recall else view.survival(coarser)

    keeps = f"{binding.name} keeps {binding.survival(stride):.0%} of its area at stride {stride}"
    if stride == 32:
        reason, flips = f"Even stride 32 keeps {binding.survival(32):.0%} of the area of {binding.name}.", ""
        flips = f"below {threshold:.0%} at stride 32, the next finer stride"
    else:
        what = f"{binding.recall(coarser):.0%} of its objects" if by_recall else f"{binding.survival(coarser):.0%}"
        reason = f"{keeps} and only {what} at stride {coarser} ({threshold:.0%} asked for)."
        flips = f"stride {coarser} if {binding.name} kept {threshold:.0%} there"
        if not by_recall:
            flips += f", or with --tolerance {1 - binding.survival(coarser) + 0.005:.2f}"
    others = [limits[v.id] for v in evidence.classes if v.id != binding.id]
    if others and min(others) > stride:
        reason += f" Without {binding.name}, stride {min(others)} would do."
    statistic = f"{name}_linear({coarser})"
    return Finding({"logit_stride": stride}, stride, reason, statistic, read, threshold, binding.name, flips)


@rule("R7", "output-stride")
def output_stride(evidence: Evidence, knobs: Knobs, t: Thresholds) -> Finding:
    """Whether the encoder is dilated or strided: its output stride.

    What it decides: fine logits (stride 4 or less) come from skips; the encoder is then dilated to
    output stride 16 where objects want context at resolution, that is where the 90 % quantile of
    the Feret diameter (L90) of a class that is not thin exceeds half of the effective receptive
    field, else not dilated (32).
    Logit stride 8 comes from skips as well, or from an encoder dilated to 8 when the budget allows
    2.7 times the MACs. At logit stride 16 and 32 the encoder runs at 32.

    Why: DeepLabv3+ (table 3, VOC val): skips on output stride 16 give 78.85 mIoU at 101 GMAC,
    output stride 8 without them 78.51 at 276. Dilating to keep resolution does not enlarge the
    receptive field (this encoder's is the same at every output stride); ASPP does, and works at the
    encoder's stride.

    Threshold: half the effective receptive field; chosen.

    References: Chen et al. 2017 (DeepLabv3), 2018 (DeepLabv3+); Luo et al. 2016.
    """
    deepest = 16 if knobs.stem_stride == 1 else 32
    field = effective_field(knobs.stem_stride, deepest)
    s = knobs.logit_stride
    wanting = wants_context(evidence, field, t)
    if s >= 16:
        value, reason = 32, f"Logits at stride {s} need no dilation: the encoder keeps all of its halvings."
    elif s == 8 and t.compute_budget >= t.dilation_budget:
        value = 8
        reason = f"The budget of {t.compute_budget:g}x MACs pays for an encoder dilated to stride 8 instead of skips."
    elif s <= 4 and wanting is not None:
        value = min(16, deepest)
        reason = (
            f"{wanting.name} reaches {wanting.length('feret', 0.9):.0f} px (L90), over half of the {field:.0f} px that "
            f"the encoder sees: it is dilated, so that context is gathered at stride {value}."
        )
    else:
        value, reason = deepest, "Skips bring resolution back cheaper than dilation keeps it."
    return Finding(
        {"output_stride": value, "skip_strides": ()},
        value,
        reason,
        "feret_p90",
        (lambda e: e.view(wanting.id).length("feret", 0.9)) if wanting else (lambda e: e.extent(0.9)),
        t.field_share * field,
        wanting.name if wanting is not None and s <= 4 else None,
        _flip_dilation(s, value, t.field_share * field),
    )


def _flip_dilation(logit_stride: int, value: int, limit: float) -> str:
    if logit_stride == 8:
        return "8 with a larger compute_budget (see `shapeprof explain R7`)"
    if logit_stride > 8:
        return "16 or 8 if the logits had to be finer"
    return f"16 if a class that is not thin exceeded {limit:.0f} px" if value == 32 else f"32 under {limit:.0f} px"


@rule("R3", "long-skips")
def long_skips(evidence: Evidence, knobs: Knobs, t: Thresholds) -> Finding:
    """Which encoder strides are carried to the decoder by long skip connections.

    What it decides: skips are on when the logit stride keeps at least .02 more of some class (or,
    where objects vanish first, of its objects) than the encoder's output stride does. They come
    from every stride from the logits' up to the encoder's.

    Why: resolution that the encoder has given up can only come back through skips. In DeepLabv3+
    (table 3) they gave +1.64 mIoU for +20 GMAC, and three times that in the narrowest boundary band.

    Threshold: .02, the size of the noise between seeds; chosen.

    References: Ronneberger et al. 2015 (U-Net); Chen et al. 2018 (DeepLabv3+, tables 1 to 3).
    """
    fine, coarse = knobs.logit_stride, knobs.output_stride
    if fine >= coarse:
        return Finding(
            {"skip_strides": ()}, (), f"Logits are at the encoder's own stride {coarse}: nothing to carry.",
            "survival_gain", lambda e: 0.0, t.skip_gain,
            flips_when="when the logits must be finer than the encoder",
        )  # fmt: skip

    def gain(view: ClassView) -> float:
        area = view.survival(fine) - view.survival(coarse)
        objects = view.recall(fine) - view.recall(coarse)
        return max(area, objects)

    most = max(evidence.classes, key=lambda v: (gain(v), -v.id))
    on = gain(most) >= t.skip_gain
    skips = possible_skips(knobs) if on else ()
    reason = (
        f"The encoder's stride {coarse} keeps {most.survival(coarse):.0%} of {most.name}, "
        f"stride {fine} {most.survival(fine):.0%}"
    )
    levels = ", ".join(str(s) for s in skips)
    reason += f": skips from {levels} bring it back." if on else ": skips would bring nothing measurable."
    return Finding(
        {"skip_strides": skips},
        skips,
        reason,
        "survival_gain",
        lambda e: gain(e.view(most.id)),
        t.skip_gain,
        most.name,
        f"off if the gain fell under {t.skip_gain:.2f}" if on else f"on from a gain of {t.skip_gain:.2f}",
    )
