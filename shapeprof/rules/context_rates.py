"""T5: which rates of ASPP the crop can hold."""

from __future__ import annotations

from shapeprof.design.draft import Draft
from shapeprof.design.spec import AsppSpec

from .evidence import Evidence
from .rule import Outcome, rule
from .thresholds import Thresholds


@rule("T5", "context-rates", title="Context in the crop", after="T4", sets=("model.context",), always=True, refits=True)
def context_rates(evidence: Evidence, draft: Draft, t: Thresholds) -> Outcome:
    """Which rates of ASPP stay, given the crop.

    What it decides: a rate r stays if it is smaller than the crop's shorter side over the encoder's output stride. If
    no rate stays, there is no ASPP.

    Why: a 3x3 convolution of rate r reaches r features to each side. In a crop with no more features than that, all
    but its middle weight see padding: it is a 1x1 convolution, at nine times the price.

    Threshold: none to choose; it follows from the crop and the output stride.

    Example: rates 6, 12, 18 at output stride 16 in crops of 256 px, which have 16 features a side: 18 goes.

    References: Chen et al. 2017 (DeepLabv3, section 3.3 and figure 4).
    """
    context, side, stride = draft.model.context, min(draft.training.crop), draft.model.encoder.output_stride
    if not isinstance(context, AsppSpec):
        return Outcome({}, (), "There is no ASPP, so no rate to fit to the crop.")
    rates = tuple(r for r in context.rates if r < side / stride)
    if rates == context.rates:
        sets, reason = {}, f"The crop's {side} px hold every rate of ASPP."
    else:
        kept = context.model_copy(update={"rates": rates}) if rates else None
        sets = {"model.context": kept}
        lost = ", ".join(str(rate) for rate in context.rates if rate not in rates)
        reason = f"No ASPP at rate {lost}: a crop of {side} px is too small."
    return Outcome(
        sets,
        rates,
        reason,
        "features_across_crop",
        measured=side / stride,
        threshold=float(max(context.rates)),
        flips_when=f"with crops of over {max(context.rates) * stride} px all rates stay" if sets else "",
    )
