"""T4: which norm the network uses."""

from __future__ import annotations

from shapeprof.design.draft import Draft

from .evidence import Evidence
from .rule import Outcome, rule
from .thresholds import Thresholds


@rule("T4", "norm", title="Norm", after="T3", sets=("model.norm",), always=True, refits=True)
def norm(evidence: Evidence, draft: Draft, t: Thresholds) -> Outcome:
    """Whether the network uses batch norm or group norm.

    What it decides: batch norm for batches of 8 and more, else group norm.

    Why: batch norm estimates means and variances from the batch, and the fewer images it has the worse they are. Group
    norm needs no batch. Published errors on ImageNet: batch norm is ahead by half a point at batches of 16, behind by
    .8 at 8, by 3.1 at 4 and by 10.6 at 2.

    Threshold: 8 (`norm_batch`); chosen, near where the published errors cross.

    References: Wu and He 2018 (Group Normalization, table 2).
    """
    size, least = draft.training.batch, t.norm_batch
    if size >= least:
        kind, reason, flips_when = "batch", f"Batches of {size} are enough for batch norm.", f"group under {least}"
    else:
        kind, reason = "group", f"Batches of {size} are too small for batch norm: group norm."
        flips_when = f"batch from batches of {least}"
    return Outcome(
        {"model.norm": kind}, kind, reason, "batch", measured=float(size), threshold=least, flips_when=flips_when
    )
