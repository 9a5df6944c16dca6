"""T10: how far training changes brightness and contrast."""

from __future__ import annotations

from shapeprof.design.draft import Draft

from .evidence import Evidence
from .rule import Outcome, rule
from .thresholds import Thresholds


@rule("T10", "jitter", title="Brightness", sets=("training.jitter",), always=True)
def jitter(evidence: Evidence, draft: Draft, t: Thresholds) -> Outcome:
    """By how much training changes brightness and contrast at random.

    What it decides: up to a quarter, for every set: masks say nothing about light.

    Why: images of another day or device differ in brightness and contrast, and the label stays the same.

    Threshold: .25 (`jitter`), nnU-Net's. Set it to 0 where brightness itself tells the class.

    References: Isensee et al. 2021 (nnU-Net).
    """
    reason = f"Masks say nothing about light: brightness and contrast change by up to {t.jitter:.0%}, as in nnU-Net."
    return Outcome({"training.jitter": t.jitter}, t.jitter, reason)
