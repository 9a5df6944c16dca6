"""Survival: how much of the ground truth could a network keep whose finest logits have stride s?

Protocols, all against the mask itself, all summed over the same two phases of the grid:

- *nearest* (``nearest.py``): majority class per s x s cell, nearest up-sampling. What FCN (Long et al. 2015,
  appendix A) and Cityscapes (Cordts et al. 2016, table 3) tabulate. For x = s P / A < 1 it
  follows ``IoU = (1 - c x / 2) / (1 + c x / 2)`` with c near 0.235.
- *linear* (``linear.py``): class shares per cell, bilinear up-sampling (``align_corners=False``), argmax. What a
  network trained on soft targets can represent. It falls with local width over stride.
- *best* (``best.py``): the best logits that can be found for the mask, bilinear up-sampling, argmax.

Conventions of all: the image is padded by edge replication to a multiple of s, evenly (the odd
pixel behind); phases are 0 and s/2 px on both axes; ignored pixels count neither in pooling nor
in scoring; ties go to the smaller class id, background last. (Linear: beside ignored pixels shares are no exact
binary fractions, and rounding may decide a tie.)
"""

from __future__ import annotations

from typing import NamedTuple

from .runs import Ints

PHASES = 2


class Survival(NamedTuple):
    """Counts summed over the phases; p pairs of mask and class (``runs.Classes``), n objects, 5 strides."""

    lost: Ints  # (p, 5) pixels of the class that come back as another class
    gained: Ints  # (p, 5) pixels of other classes that come back as this one
    object_lost: Ints  # (n, 5) pixels of the object that come back as another class
