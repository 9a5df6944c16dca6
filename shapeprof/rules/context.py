"""R6: whether the network looks wider than its encoder does."""

from __future__ import annotations

from shapeprof.design.draft import Draft
from shapeprof.design.family import context_channels, effective_field
from shapeprof.design.spec import AsppSpec
from shapeprof.profile.class_view import ClassView

from .evidence import Evidence, or_zero
from .extent import wants_context
from .rule import Outcome, rule
from .thresholds import Thresholds


@rule("R6", "context", title="Context", after="R3", sets=("model.context",))
def context(evidence: Evidence, draft: Draft, t: Thresholds) -> Outcome:
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
    stride = draft.part("model.encoder.output_stride")
    field = effective_field(draft.part("model.encoder.stem_stride"), stride)
    limit = t.field_share * field
    wanting = wants_context(evidence, field, t)
    rates = _rates(wanting, stride) if wanting else ()
    shown = wanting or max(evidence.classes, key=lambda v: (or_zero(evidence.extents[v.id]), -v.id))
    channels = context_channels(draft.model.encoder.widths)
    return Outcome(
        {"model.context": AsppSpec(rates=rates, channels=channels) if rates else None},
        bool(rates),
        _reason(shown, rates, field, limit),
        "feret_p90",
        lambda e: e.extents[shown.id],
        threshold=limit,
        binding_class=shown.name,
        flips_when=f"off under {limit:.0f} px" if rates else f"on if a class that is not thin exceeded {limit:.0f} px",
    )


def _reason(view: ClassView, rates: tuple[int, ...], field: float, limit: float) -> str:
    extent = view.quantile("feret", 0.9)
    if rates:
        return (
            f"{view.name} reaches {extent:,.0f} px (L90), and the encoder sees {field:.0f}: ASPP, dilated convolutions "
            f"side by side, widens its view. {'Rates' if len(rates) > 1 else 'Rate'}: {', '.join(map(str, rates))}."
        )
    if or_zero(extent) > limit:
        return f"{view.name} is long ({extent:.0f} px) but thin: recognised from a few widths around. No ASPP."
    return f"Nine in ten objects are under {extent:.0f} px; the encoder sees about {field:.0f}. No ASPP."


def _rates(view: ClassView, stride: int) -> tuple[int, ...]:
    """Rates whose 3x3 convolution spans the class's L50, L75 and L90, each at least a quarter over the last."""
    spans = (view.quantile("feret", q) for q in (0.5, 0.75, 0.9))
    rates: list[int] = []
    for rate in (max(1, round((span / stride - 1) / 2)) for span in spans):
        if not rates or rate >= 1.25 * rates[-1]:
            rates.append(rate)
    return tuple(rates)
