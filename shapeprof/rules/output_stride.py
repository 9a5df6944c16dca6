"""R7: whether the encoder is dilated."""

from __future__ import annotations

from shapeprof.design.draft import Draft
from shapeprof.design.family import effective_field

from .evidence import Evidence
from .extent import wants_context
from .rule import Outcome, rule
from .thresholds import Thresholds


@rule("R7", "output-stride", title="Encoder", after="R1", sets=("model.encoder.output_stride",))
def output_stride(evidence: Evidence, draft: Draft, t: Thresholds) -> Outcome:
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
    stride, stem = draft.part("model.decoder.logit_stride"), draft.part("model.encoder.stem_stride")
    deepest = 16 if stem == 1 else 32
    field = effective_field(stem, deepest)
    limit = t.field_share * field
    wanting = wants_context(evidence, field, t)
    if stride >= 16:
        value, reason = 32, f"Output 1/{stride} needs no dilation: the encoder keeps all of its halvings."
    elif stride == 8 and t.compute_budget >= t.dilation_budget:
        value = 8
        reason = f"The budget of {t.compute_budget:g}x MACs pays for an encoder dilated to 1/8 instead of skips."
    elif stride <= 4 and wanting is not None:
        value = min(16, deepest)
        reason = (
            f"The encoder is dilated to 1/{value}: {wanting.name} reaches {evidence.extents[wanting.id]:,.0f} px "
            f"(L90), over half of the {field:.0f} px that it sees."
        )
    else:
        value, reason = deepest, "Skips bring resolution back cheaper than dilation keeps it."
    return Outcome(
        {"model.encoder.output_stride": value},
        value,
        reason,
        "feret_p90",
        (lambda e: e.extents[wanting.id]) if wanting else (lambda e: e.largest_extent),
        threshold=limit,
        binding_class=wanting.name if wanting is not None and stride <= 4 else None,
        flips_when=_flip(stride, value, limit),
    )


def _flip(logit_stride: int, value: int, limit: float) -> str:
    if logit_stride == 8:
        return "8 with a larger compute_budget (see `shapeprof explain R7`)"
    if logit_stride > 8:
        return "16 or 8 if the logits had to be finer"
    return f"16 if a class that is not thin exceeded {limit:.0f} px" if value == 32 else f"32 under {limit:.0f} px"
