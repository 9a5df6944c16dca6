"""The rule about context: whether the network looks wider than its encoder does."""

from __future__ import annotations

from shapeprof.profile.class_view import ClassView

from . import Finding, Knobs, effective_field, rule, wants_context
from .evidence import Evidence, or_zero
from .thresholds import Thresholds


@rule("R6", "context")
def context(evidence: Evidence, knobs: Knobs, t: Thresholds) -> Finding:
    """Whether the encoder is followed by atrous spatial pyramid pooling (ASPP), and its rates.

    What it decides: ASPP is on when the 90 % quantile of the Feret diameter (L90) of a class
    exceeds half of the encoder's effective receptive field, unless the class is thin: half of its
    area no wider than 4 px. A 3x3 convolution of rate r at stride s spans s (2 r + 1) px; the
    rates are those that span the class's 50, 75 and 90 % quantiles, distinct.

    Why: ASPP or pyramid pooling is worth +10 to +13 mIoU on VOC and +6.7 on ADE20K over a plain
    head, where objects are large against the receptive field, and 0.0 to 0.2 Dice on retinal
    vessels, which are long but recognised from a few widths around.

    Thresholds: half the receptive field and 4 px; chosen.

    References: Chen et al. 2017 (DeepLabv3); published mmsegmentation results (PASCAL VOC, ADE20K, DRIVE).
    """
    field = effective_field(knobs.stem_stride, knobs.output_stride)
    limit = t.field_share * field
    wanting = wants_context(evidence, field, t)
    rates = _rates(wanting, knobs.output_stride) if wanting else ()
    largest = max(evidence.classes, key=lambda v: (or_zero(v.length("feret", 0.9)), -v.id))
    extent = largest.length("feret", 0.9)
    if wanting:
        reason = (
            f"{wanting.name} reaches {wanting.length('feret', 0.9):.0f} px (L90); the encoder sees about {field:.0f}: "
            f"ASPP with {'rates' if len(rates) > 1 else 'rate'} {', '.join(map(str, rates))} widens its view."
        )
    elif or_zero(extent) > limit:
        reason = f"{largest.name} is long ({extent:.0f} px) but thin: recognised from a few widths around. No ASPP."
    else:
        reason = f"Nine in ten objects are under {extent:.0f} px; the encoder sees about {field:.0f}. No ASPP."
    shown = wanting or largest
    return Finding(
        {"context_rates": rates},
        bool(rates),
        reason,
        "feret_p90",
        lambda e: e.view(shown.id).length("feret", 0.9),
        limit,
        shown.name,
        f"off under {limit:.0f} px" if rates else f"on if a class that is not thin exceeded {limit:.0f} px",
    )


def _rates(view: ClassView, stride: int) -> tuple[int, ...]:
    spans = (view.length("feret", q) for q in (0.5, 0.75, 0.9))
    rates: list[int] = []
    for rate in (max(1, round((span / stride - 1) / 2)) for span in spans):
        if not rates or rate >= 1.25 * rates[-1]:
            rates.append(rate)
    return tuple(rates)
