"""R3: which encoder features the decoder gets."""

from __future__ import annotations

from shapeprof.design.draft import Draft
from shapeprof.design.family import possible_skips
from shapeprof.profile.class_view import ClassView

from .evidence import Evidence
from .rule import Outcome, rule
from .thresholds import Thresholds

SKIPS = "model.decoder.skip_strides"


@rule("R3", "long-skips", title="Skips", after="R7", sets=(SKIPS,))
def long_skips(evidence: Evidence, draft: Draft, t: Thresholds) -> Outcome:
    """Which encoder strides are carried to the decoder by long skip connections.

    What it decides: skips are on when the logit stride keeps at least .02 more of some class (or,
    where objects vanish first, of its objects) than the encoder's output stride does. They come
    from every stride from the logits' up to the encoder's.

    Why: resolution that the encoder has given up can only come back through skips. In DeepLabv3+
    (table 3) they gave +1.64 mIoU for +20 GMAC, and three times that in the narrowest boundary band.

    Threshold: .02, the size of the noise between seeds; chosen.

    References: Ronneberger et al. 2015 (U-Net); Chen et al. 2018 (DeepLabv3+, tables 1 to 3).
    """
    fine, coarse = draft.part("model.decoder.logit_stride"), draft.part("model.encoder.output_stride")
    if fine >= coarse:
        return Outcome(
            {SKIPS: ()},
            (),
            f"The output is the encoder's own 1/{coarse}: skips have nothing to carry.",
            "survival_gain",
            lambda e: 0.0,
            threshold=t.skip_gain,
            flips_when="when the logits must be finer than the encoder",
        )

    def gain(view: ClassView) -> float:
        area = view.survival(fine) - view.survival(coarse)
        objects = view.recall(fine) - view.recall(coarse)
        return max(area, objects)

    most = max(evidence.classes, key=lambda v: (gain(v), -v.id))
    on = gain(most) >= t.skip_gain
    skips = possible_skips(fine, coarse) if on else ()
    reason = (
        f"The encoder's own 1/{coarse} keeps {most.survival(coarse):.0%} of {most.name}, "
        f"1/{fine} {most.survival(fine):.0%}"
    )
    levels = ", ".join(f"1/{s}" for s in skips)
    reason += f": skips from {levels} bring it back." if on else ": skips would bring nothing measurable."
    return Outcome(
        {SKIPS: skips},
        skips,
        reason,
        "survival_gain",
        lambda e: gain(e.view(most.id)),
        threshold=t.skip_gain,
        binding_class=most.name,
        flips_when=f"off if the gain fell under {t.skip_gain:.2f}" if on else f"on from a gain of {t.skip_gain:.2f}",
    )
