"""R4: extra heads that exist only in training."""

from __future__ import annotations

from shapeprof.design.draft import Draft
from shapeprof.design.spec import HeadSpec

from .detail import limits_of
from .evidence import Evidence, or_zero
from .rule import Outcome, rule
from .thresholds import Thresholds

AUXILIARY, DEEP = "model.auxiliary_heads", "model.deep_supervision"


@rule("R4", "auxiliary-heads", title="Heads", after="R6", sets=(AUXILIARY, DEEP))
def auxiliary_heads(evidence: Evidence, draft: Draft, t: Thresholds) -> Outcome:
    """Whether auxiliary heads on intermediate encoder stages help training, and on which stages.

    What it decides: on when the objects are convex and simple: in every class that binds the
    logit stride, the area-weighted 25 % quantile of convexity is at least .90, and the logit
    stride is 8 or coarser. They sit on the (at most two) coarsest intermediate stages whose own
    stride keeps at least .90 of every class, weigh .4 each, and are dropped at inference.
    Otherwise a decoder, if there is one, gets deep supervision at twice the logit stride.

    Why: a head on a deep stage is asked to draw the objects at that stage's stride. Where the
    stage can represent its target, published gains are 0 to +3.5 mIoU; in the pilot +2.6 and +1.7
    points on thick shapes and -0.2 and -0.1 on thin ones, whose target such a stage can't draw.

    Thresholds: .90, 8 and .90 are chosen; the weight is PSPNet's.

    References: Zhao et al. 2017 (PSPNet, +1.41 on ADE20K); Yu et al. 2021 (BiSeNetV2, +3.5);
    Zhou et al. 2018 (UNet++: gain vanishes on nuclei); Isensee et al. 2021 (nnU-Net).
    """
    limits = limits_of(evidence, t)
    binding = [v for v in evidence.classes if limits[v.id] == min(limits.values())]
    least = min(binding, key=lambda v: (or_zero(evidence.convexity(v)), v.id))
    convexity = evidence.convexity(least)
    convex = or_zero(convexity) >= t.convex
    coarse = draft.part("model.decoder.logit_stride") >= t.head_logit_stride
    heads = _able_stages(evidence, draft, t) if convex and coarse else ()
    deep = () if heads else _decoder_levels(draft)
    if heads:
        places = " and ".join(f"1/{s}" for s in heads)
        reason = (
            f"{least.name} is convex ({convexity:.2f}) and coarse features can draw it: auxiliary heads at {places} "
            f"help training."
        )
    elif not coarse:
        kept = evidence.worst_survival(8)
        reason = f"No auxiliary heads: 1/8 keeps {kept:.0%} of the shapes that one there would have to draw."
    elif not convex:
        reason = f"No auxiliary heads: {least.name} is not convex ({convexity:.2f})."
    else:
        reason = f"No auxiliary heads: no intermediate stage keeps {t.head_survival:.0%} of every class."
    if deep:
        reason += f" Deep supervision on the decoder at 1/{deep[0]} instead."
    return Outcome(
        {AUXILIARY: _specs(heads, t), DEEP: _specs(deep, t)},
        heads,
        reason,
        "convexity_p25_area_weighted",
        lambda e: e.convexity(e.view(least.id)),
        threshold=t.convex,
        binding_class=least.name,
        flips_when=f"off under a convexity of {t.convex:.2f}" if heads else _flip(coarse, convex, t),
    )


def _able_stages(evidence: Evidence, draft: Draft, t: Thresholds) -> tuple[int, ...]:
    """Strides of the coarsest intermediate stages that can represent every class, ascending."""
    encoder = draft.model.encoder
    stages = [s for s in sorted({*encoder.stage_strides[:-1]}, reverse=True) if s < encoder.output_stride]
    able = [s for s in stages if evidence.worst_survival(s) >= t.head_survival]
    return tuple(sorted(able[: t.most_heads]))


def _decoder_levels(draft: Draft) -> tuple[int, ...]:
    """The decoder level above the logits', if there is one."""
    level = 2 * draft.model.decoder.logit_stride
    return (level,) if draft.model.decoder.skip_strides and level < draft.model.encoder.output_stride else ()


def _specs(strides: tuple[int, ...], t: Thresholds) -> tuple[HeadSpec, ...]:
    return tuple(HeadSpec.model_validate({"stride": s, "weight": t.head_weight}) for s in strides)


def _flip(coarse: bool, convex: bool, t: Thresholds) -> str:
    wants = []
    if not coarse:
        wants.append(f"logits at stride {t.head_logit_stride} sufficed")
    if not convex:
        wants.append(f"convexity reached {t.convex:.2f}")
    return "on if " + " and ".join(wants) if wants else "on if a coarse stage kept enough of every class"
