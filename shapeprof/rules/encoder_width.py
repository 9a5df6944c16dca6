"""T1: how many channels the encoder has."""

from __future__ import annotations

from shapeprof.design.draft import Draft
from shapeprof.design.family import context_channels, decoder_channels

from .evidence import Evidence
from .rule import Outcome, rule
from .thresholds import Thresholds

NARROW, WIDE = (32, 64, 128, 256), (64, 128, 256, 512)


@rule(
    "T1",
    "encoder-width",
    title="Size",
    after="R4",
    sets=("model.encoder.widths", "model.decoder.channels", "model.context"),
    always=True,
)
def encoder_width(evidence: Evidence, draft: Draft, t: Thresholds) -> Outcome:
    """How many channels the stages of the encoder have; those of decoder and context follow.

    What it decides: 32 to 256 channels for fewer than 2,000 images, else 64 to 512, which is a ResNet-18. The
    decoder has the channels of the second stage, ASPP those of the last but one.

    Why: the encoder is trained from scratch. The narrow one has a quarter of the parameters and of the operations,
    and small sets do not fill the wide one.

    Threshold: 2,000 images (`small_set`); chosen.

    References: He et al. 2016 (ResNet-18's widths).
    """
    large, context = evidence.images >= t.small_set, draft.model.context
    widths, others = (WIDE, NARROW) if large else (NARROW, WIDE)
    if context is not None:
        context = context.model_copy(update={"channels": context_channels(widths)})
    return Outcome(
        {"model.encoder.widths": widths, "model.decoder.channels": decoder_channels(widths), "model.context": context},
        widths,
        f"{evidence.images:,} images fill {'a wide' if large else 'only a narrow'} encoder. It has {widths[0]} to "
        f"{widths[-1]} channels.",
        "images",
        measured=float(evidence.images),
        threshold=t.small_set,
        flips_when=f"{others[0]} to {others[-1]} {'under' if large else 'from'} {t.small_set:,} images",
    )
