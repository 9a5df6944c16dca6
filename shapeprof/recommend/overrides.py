"""What a user asks for instead of what the rules decide: a published encoder, a well-known design."""

from __future__ import annotations

import difflib
import math
from dataclasses import replace

from shapeprof.design.encoders import Published, find_encoder
from shapeprof.design.spec import AsppSpec, BackboneSpec, ContextSpec, NetworkSpec, design_name, skip_strides_of
from shapeprof.errors import UsageError
from shapeprof.profile.profile import Profile
from shapeprof.rules.references import REFERENCES
from shapeprof.rules.training import MEMORY_GB, fitted, fitting_rates, norm_for, pace, priced

from .recommend import Decision, Recommendation

USER = "user"  # the rule that decides: none of ours
# AdamW at 6e-5 for the encoder and ten times that for what is new: the published settings of SegFormer (Xie et al.
# 2021), at batches of 16; 6e-5 is that of Swin's too. DETR's and Mask2Former's 1e-4 and 1e-5 go with far more steps.
LEARNING_RATE, ENCODER_RATE = 6e-4, 0.1
SMALLEST_PATCH_STRIDE = 16  # of DINOv2, whose patches have 14 px: at 32 images would shrink to under a half


def chosen(
    recommendation: Recommendation,
    profile: Profile,
    reference: str | None = None,
    encoder: str | None = None,
    *,
    pretrained: bool = True,
    memory_gb: float = MEMORY_GB,
) -> Recommendation:
    """``recommendation`` with a ``reference`` design and an ``encoder`` where they are named.

    Raises:
        UsageError: there is no such thing.
    """
    if encoder is None and not pretrained:
        raise UsageError("--no-pretrained without --encoder: the recommended encoder has no published weights")
    if reference is not None:
        recommendation = with_reference(recommendation, profile, reference, memory_gb=memory_gb)
    if encoder is not None:
        recommendation = with_encoder(recommendation, profile, encoder, pretrained=pretrained, memory_gb=memory_gb)
    return recommendation


def with_encoder(
    recommendation: Recommendation,
    profile: Profile,
    name: str,
    *,
    pretrained: bool = True,
    memory_gb: float = MEMORY_GB,
) -> Recommendation:
    """``recommendation`` with the encoder ``name`` (see ``backbones.KNOWN``; or a folder of one).

    Output stride, logit stride, skips, context and heads stay as far as the encoder has such features; crop,
    batch and steps are planned again within ``memory_gb``. The last decision says what changed.

    Raises:
        UsageError: no such encoder, or one that can't be built.
    """
    published = find_encoder(name)
    network, changes = swapped(recommendation.network, published, pretrained=pretrained)
    reason = f"You chose the encoder {published.name}, with its pretrained weights; no rule did."
    rates = {"learning_rate": LEARNING_RATE, "encoder_rate": ENCODER_RATE}
    if pretrained:
        reason += " They are fetched when training starts."
        reason += f" It learns at {ENCODER_RATE:g} of the rate of the rest, {LEARNING_RATE:g}, as in SegFormer."
    else:
        reason, rates = f"You chose the encoder {published.name}, with random weights; no rule did.", {}
    replanned, dropped = _replanned(recommendation, profile, network, memory_gb, rates)
    decision = _decision("encoder", published.name, " ".join([reason, *changes, *dropped]))
    return replace(replanned, decisions=(*recommendation.decisions, decision))


def with_reference(
    recommendation: Recommendation, profile: Profile, name: str, *, memory_gb: float = MEMORY_GB
) -> Recommendation:
    """The reference design ``name`` (see ``rules.references``) with the channels of ``recommendation``.

    Crop, batch and steps are planned again within ``memory_gb``. The last decision says what was recommended.

    Raises:
        UsageError: no such design.
    """
    if name not in REFERENCES:
        near = difflib.get_close_matches(name, REFERENCES, 1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise UsageError(f"no reference design is called {name!r}{hint} Known: {', '.join(REFERENCES)}")
    reference, recommended = REFERENCES[name], recommendation.network
    network = replace(reference.knobs, widths=recommended.encoder.widths).network()
    replanned, dropped = _replanned(recommendation, profile, network, memory_gb, {})
    reason = (
        f"You chose {reference.title} ({reference.source}); no rule did. Recommended: {recommendation.design}, logit "
        f"stride {recommended.decoder.logit_stride}, output stride {recommended.encoder.output_stride}."
    )
    decision = _decision("design", name, " ".join([reason, *dropped]))
    design = design_name(replanned.network)
    return replace(replanned, design=design, decisions=(*recommendation.decisions, decision))


def _replanned(
    recommendation: Recommendation, profile: Profile, network: NetworkSpec, memory_gb: float, rates: dict[str, float]
) -> tuple[Recommendation, list[str]]:
    """``recommendation`` with ``network``, planned within ``memory_gb``; and what did not fit, in sentences."""
    crop, batch = fitted(network, profile, recommendation.training.crop, memory_gb)
    network, dropped = _within(network.model_copy(update={"norm": norm_for(batch)}), crop)
    plan = {"crop": crop, **pace(profile.images, batch), **rates}
    training = recommendation.training.model_copy(update=plan)
    named = recommendation.design
    changed = replace(
        recommendation,
        design=named if named == "default" else design_name(network),
        network=network,
        training=training,
        cost=priced(network, profile, crop, batch),
    )
    return changed, dropped


def swapped(network: NetworkSpec, published: Published, *, pretrained: bool) -> tuple[NetworkSpec, list[str]]:
    """``network`` around another encoder, and what it lost or gained by that, in sentences."""
    decoder, old = network.decoder, network.encoder
    stride, why = _output_stride(published, old.output_stride)
    changes = [why] if why else []
    encoder = published.encoder(stride, pretrained=pretrained)
    logit_stride = min(decoder.logit_stride, stride)
    possible = [s for s in skip_strides_of(encoder) if s >= logit_stride]
    # What dilation kept of the detail must come by skips where there is none.
    undilated = {s for s in possible if s >= old.output_stride}
    wanted = {*decoder.skip_strides, *undilated}
    skips = tuple(sorted(wanted & {*possible}))
    if undilated - {*decoder.skip_strides}:
        changes.append(f"Long skips from {_places(undilated)} bring the detail that dilation kept.")
    auxiliary = tuple(h for h in network.auxiliary_heads if h.stride in encoder.stage_strides[:-1])
    deep = tuple(h for h in network.deep_supervision if logit_stride < h.stride < stride)
    for what, before, after in (
        ("long skips", decoder.skip_strides, skips),
        ("auxiliary heads", [h.stride for h in network.auxiliary_heads], [h.stride for h in auxiliary]),
        ("deep supervision", [h.stride for h in network.deep_supervision], [h.stride for h in deep]),
    ):
        if lost := {*before} - {*after}:
            changes.append(f"No {what} at {_places(lost)}: it has no features there.")
    knobs = {
        "encoder": encoder,
        "context": _scaled(network.context, old.output_stride / stride),
        "decoder": decoder.model_copy(update={"logit_stride": logit_stride, "skip_strides": skips}),
        "auxiliary_heads": auxiliary,
        "deep_supervision": deep,
    }
    return NetworkSpec.model_validate(knobs), changes


def _output_stride(published: Published, wanted: int) -> tuple[int, str]:
    """The nearest that the encoder can have, and why it isn't ``wanted``."""
    family = published.config["model_type"]
    if family == "dinov2":
        stride = min(wanted, SMALLEST_PATCH_STRIDE)
        why = f"Output stride {stride}, not {wanted}: its patches have {published.config['patch_size']} px, and it has "
        return stride, why + "no finer features." if stride != wanted else ""
    deepest = 4 * 2 ** (len(published.config["depths"]) - 1)
    stride = deepest if family == "swin" else min(wanted, deepest)
    if stride == wanted:
        return stride, ""
    reason = "a Swin can't be dilated" if family == "swin" else "it has no deeper stage"
    return stride, f"Output stride {stride}, not {wanted}: {reason}."


def _places(strides: set[int]) -> str:
    return ", ".join(f"1/{stride}" for stride in sorted(strides))


def _scaled(context: ContextSpec | None, factor: float) -> ContextSpec | None:
    """The same reach in px at another output stride."""
    if not isinstance(context, AsppSpec):
        return context
    rates = sorted({max(1, round(rate * factor)) for rate in context.rates})
    return context.model_copy(update={"rates": tuple(rates)})


def _within(network: NetworkSpec, crop: tuple[int, int]) -> tuple[NetworkSpec, list[str]]:
    """``network`` without the rates of ASPP that the crop can't hold, and a sentence on them."""
    context = network.context
    if not isinstance(context, AsppSpec):
        return network, []
    rates = fitting_rates(context.rates, crop, network.encoder.output_stride)
    if rates == context.rates:
        return network, []
    kept = context.model_copy(update={"rates": rates}) if rates else None
    lost = ", ".join(str(rate) for rate in context.rates if rate not in rates)
    return network.model_copy(update={"context": kept}), [
        f"No ASPP at rate {lost}: a crop of {min(crop)} px is too small."
    ]


def _decision(sets: str, value: str, reason: str) -> Decision:
    nothing = math.nan
    return Decision(
        rule=USER,
        sets=sets,
        value=value,
        reason=reason,
        statistic="",
        measured=nothing,
        interval=(nothing, nothing),
        threshold=nothing,
        margin=nothing,
        agreement=nothing,
        binding_class=None,
        flips_when="",
    )


def normalisation(network: NetworkSpec) -> tuple[tuple[float, ...], tuple[float, ...]] | None:
    """Mean and std that the network's published encoder was trained with; None: it has no such encoder."""
    if not isinstance(network.encoder, BackboneSpec):
        return None
    published = find_encoder(network.encoder.name)
    return published.mean, published.std
