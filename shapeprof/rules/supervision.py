"""The rule about extra heads that exist only in training."""

from __future__ import annotations

from . import Finding, Knobs, encoder_of, rule
from .evidence import Evidence, or_zero
from .resolution import coarsest_stride
from .thresholds import Thresholds

HEADS = 2  # at most this many auxiliary heads, the coarsest ones


@rule("R4", "auxiliary-heads")
def auxiliary_heads(evidence: Evidence, knobs: Knobs, t: Thresholds) -> Finding:
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
    limits = {v.id: coarsest_stride(v, t) for v in evidence.classes}
    binding = [v for v in evidence.classes if limits[v.id] == min(limits.values())]
    least = min(binding, key=lambda v: (or_zero(evidence.convexity(v)), v.id))
    convexity = evidence.convexity(least)
    convex = or_zero(convexity) >= t.convex
    coarse = knobs.logit_stride >= t.head_logit_stride
    encoder = encoder_of(knobs.stem_stride, knobs.output_stride)
    stages = [s for s in sorted(set(encoder.stage_strides[:-1]), reverse=True) if s < knobs.output_stride]
    able = tuple(s for s in stages if evidence.worst_survival(s) >= t.head_survival)[:HEADS]
    heads = tuple(sorted(able)) if convex and coarse else ()
    deep: tuple[int, ...] = ()
    if heads:
        places = " and ".join(f"1/{s}" for s in heads)
        reason = (
            f"{least.name} is convex ({convexity:.2f}) and coarse features can draw it: heads at {places} "
            f"help training and are dropped afterwards."
        )
    else:
        level = 2 * knobs.logit_stride
        deep = (level,) if knobs.skip_strides and level < knobs.output_stride else ()
        if not coarse:
            kept = evidence.worst_survival(8)
            reason = f"A head at 1/8 would be asked for shapes of which 1/8 keeps {kept:.0%}: none on the encoder."
        elif not convex:
            reason = f"{least.name} is not convex ({convexity:.2f}): no heads on the encoder."
        else:
            reason = f"No intermediate stage keeps {t.head_survival:.0%} of every class: no heads on the encoder."
        if deep:
            reason += f" Deep supervision on the decoder at 1/{level} instead."
    return Finding(
        {"auxiliary_heads": heads, "deep_supervision": deep, "head_weight": t.head_weight},
        heads,
        reason,
        "convexity_p25_area_weighted",
        lambda e: e.convexity(e.view(least.id)),
        t.convex,
        least.name,
        f"off under a convexity of {t.convex:.2f}" if heads else _flip(coarse, convex, t),
    )


def _flip(coarse: bool, convex: bool, t: Thresholds) -> str:
    wants = []
    if not coarse:
        wants.append(f"logits at stride {t.head_logit_stride} sufficed")
    if not convex:
        wants.append(f"convexity reached {t.convex:.2f}")
    return "on if " + " and ".join(wants) if wants else "on if a coarse stage kept enough of every class"
