"""What a user asks for instead of what the rules decide: a published encoder, a well-known design.

Either is a decision of its own, "user", on the parts of spec.yaml that it sets. The rules that depend on what the
network costs (batch, norm, rates, steps) then decide again.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from shapeprof.design.draft import Draft
from shapeprof.design.encoder_spec import BackboneSpec, skip_strides_of
from shapeprof.design.encoders import Published, find_encoder
from shapeprof.design.spec import AsppSpec, ContextSpec, NetworkSpec, design_name
from shapeprof.errors import UsageError
from shapeprof.profile.profile import Profile
from shapeprof.rules.evidence import evidence_of
from shapeprof.rules.references import REFERENCES

from .decision import USER, Decision, Recommendation, decisions_on
from .engine import refit
from .recommend import priced

# AdamW at 6e-5 for the encoder and ten times that for what is new: the published settings of SegFormer (Xie et al.
# 2021), at batches of 16; 6e-5 is that of Swin's too. DETR's and Mask2Former's 1e-4 and 1e-5 go with far more steps.
LEARNING_RATE, ENCODER_RATE = 6e-4, 0.1
SMALLEST_PATCH_STRIDE = 16  # of DINOv2, whose patches have 14 px: at 32 images would shrink to under a half
PARTS = ("encoder", "context", "decoder", "auxiliary_heads", "deep_supervision")  # of the model, that a choice may set


def chosen(
    recommendation: Recommendation,
    profile: Profile,
    reference: str | None = None,
    encoder: str | None = None,
    *,
    pretrained: bool = True,
    memory_gb: float | None = None,
) -> Recommendation:
    """``recommendation`` with a ``reference`` design and an ``encoder`` where they are named.

    ``memory_gb``: GPU memory that training may take; default: what the recommendation was made for.

    Raises:
        UsageError: there is no such design or encoder.
    """
    if encoder is None and not pretrained:
        raise UsageError("--no-pretrained without --encoder: the recommended encoder has no published weights")
    if memory_gb is not None:
        thresholds = replace(recommendation.thresholds, memory_gb=memory_gb)
        recommendation = replace(recommendation, thresholds=thresholds)
    if reference is not None:
        recommendation = with_reference(recommendation, profile, reference)
    if encoder is not None:
        recommendation = with_encoder(recommendation, profile, encoder, pretrained=pretrained)
    return recommendation


def with_encoder(
    recommendation: Recommendation, profile: Profile, name: str, *, pretrained: bool = True
) -> Recommendation:
    """``recommendation`` with the encoder ``name``: a published one (``encoders.KNOWN``) or a folder that holds one.

    Output stride, logit stride, skips, context and heads stay as far as the encoder has such features. The last
    decision says what changed.

    Raises:
        UsageError: no such encoder, or one that can't be built.
    """
    published = find_encoder(name)
    network, changes = swapped(recommendation.network, published, pretrained=pretrained)
    sets = _differing(network, recommendation.network)
    if pretrained:
        sets |= {"training.learning_rate": LEARNING_RATE, "training.encoder_rate": ENCODER_RATE}
        reason = (
            f"You chose the encoder {published.name}, with its pretrained weights; no rule did. "
            f"They are fetched when training starts. "
            f"It learns at {ENCODER_RATE:g} of the rate of the rest, {LEARNING_RATE:g}, as in SegFormer."
        )
    else:
        reason = f"You chose the encoder {published.name}, with random weights; no rule did."
    made = _overridden(recommendation, profile, sets, ("encoder", "Encoder", published.name), [reason, *changes])
    return made if made.design == "default" else replace(made, design=design_name(made.network))


def with_reference(recommendation: Recommendation, profile: Profile, name: str) -> Recommendation:
    """The reference design ``name`` (see ``rules.references``) with the channels of ``recommendation``.

    The last decision says what was recommended instead.

    Raises:
        UsageError: no such design.
    """
    if name not in REFERENCES:
        near = difflib.get_close_matches(name, REFERENCES, 1)
        hint = f"; did you mean {near[0]}?" if near else "."
        raise UsageError(f"no reference design is called {name!r}{hint} Known: {', '.join(REFERENCES)}")
    reference, recommended = REFERENCES[name], recommendation.network
    network = replace(reference.knobs, widths=recommended.encoder.widths).network()
    sets = {f"model.{part}": getattr(network, part) for part in PARTS}
    reason = (
        f"You chose {reference.title} ({reference.source}); no rule did. Recommended: {recommendation.design}, logit "
        f"stride {recommended.decoder.logit_stride}, output stride {recommended.encoder.output_stride}."
    )
    made = _overridden(recommendation, profile, sets, ("design", "Design", name), [reason])
    return replace(made, design=design_name(made.network))


def _differing(network: NetworkSpec, old: NetworkSpec) -> dict[str, Any]:
    """The parts of ``network`` that the old one has otherwise; the decoder's one by one."""
    sets: dict[str, Any] = {}
    for part in PARTS:
        new, before = getattr(network, part), getattr(old, part)
        if new == before:
            continue
        if part == "decoder":
            for name in type(new).model_fields:
                if getattr(new, name) != getattr(before, name):
                    sets[f"model.decoder.{name}"] = getattr(new, name)
        else:
            sets[f"model.{part}"] = new
    return sets


def _overridden(
    recommendation: Recommendation,
    profile: Profile,
    sets: Mapping[str, Any],
    choice: tuple[str, str, str],
    sentences: list[str],
) -> Recommendation:
    """``recommendation`` with a user's choice, and with the rules that depend on the network's cost run again.

    Args:
        recommendation: what was decided before.
        profile: that it is for.
        sets: parts of spec.yaml and their chosen values.
        choice: name, title and value of the decision.
        sentences: why; what the rules that ran again decide otherwise is added.
    """
    t = recommendation.thresholds
    evidence = evidence_of(profile, t.min_objects)
    start = Draft(recommendation.network, recommendation.training).filled(sets)
    draft, decided = refit(evidence, t, start)
    again = {d.rule: d for d in decisions_on(decided, evidence)}
    before = {d.rule: d for d in recommendation.decisions}
    sentences += [d.reason for d in again.values() if d.rule not in before or before[d.rule].value != d.value]
    name, title, value = choice
    decision = Decision(USER, name, title, tuple(sets), value, " ".join(sentences), changed=True)
    return replace(
        recommendation,
        network=draft.model,
        training=draft.training,
        cost=priced(draft, evidence),
        decisions=(*(again.get(d.rule, d) for d in recommendation.decisions), decision),
    )


def swapped(network: NetworkSpec, published: Published, *, pretrained: bool) -> tuple[NetworkSpec, list[str]]:
    """``network`` around another encoder, and what it lost or gained by that, in sentences."""
    decoder, old = network.decoder, network.encoder
    stride, why = _output_stride(published, old.output_stride)
    changes = [why] if why else []
    encoder = published.encoder(stride, pretrained=pretrained)
    logit_stride = min(decoder.logit_stride, stride)
    possible = [s for s in skip_strides_of(encoder) if s >= logit_stride]
    # Without dilation, skips must bring the detail that it kept.
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


def normalisation(network: NetworkSpec) -> tuple[tuple[float, ...], tuple[float, ...]] | None:
    """Mean and std that the network's published encoder was trained with; None: it has no such encoder."""
    if not isinstance(network.encoder, BackboneSpec):
        return None
    published = find_encoder(network.encoder.name)
    return published.mean, published.std
