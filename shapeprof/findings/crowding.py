"""Findings about objects that touch."""

from __future__ import annotations

from collections.abc import Iterator

from shapeprof.profile.profile import Profile
from shapeprof.recommend.decision import Recommendation
from shapeprof.wording import percent

from .finding import Found, objects_of
from .registry import finding
from .thresholds import CROWDED, FEW


@finding("objects-touch", "info")
def objects_touch(profile: Profile, recommendation: Recommendation | None) -> Iterator[Found]:
    """Many objects of a class touch another one.

    Seen: the masks tell objects apart (instance ids, one file per object, annotations), and over 20 % of a class's
    objects share an edge or corner with another object of the class.

    Why it matters: a semantic mask has no line between them, so a network that predicts classes joins them, and
    counts and shapes of its objects are wrong, though pixel scores look well.

    What to do: predict a boundary class as well, or use a method for instances (StarDist, Cellpose, Mask R-CNN).
    """
    for view in profile.classes():
        if view.measured >= FEW and view.touching_share > CROWDED:
            yield Found(
                f"{percent(view.touching_share)} of the {objects_of(view)} touch another and grow together",
                "to count them, train with a boundary class or an instance method",
            )


@finding("objects-merged", "info")
def objects_merged(profile: Profile, recommendation: Recommendation | None) -> Iterator[Found]:
    """Many objects of a class look like several that touch.

    Seen: the masks don't tell objects apart, and over 20 % of the objects of at least 200 px fall into several discs
    joined by necks. It is a suspicion: a peanut looks the same as two nuts.

    Why it matters: the low convexity of such a class is that of clusters, not of single objects.

    What to do: scan instance ids if there are any (--instances), and see ``objects-touch``.
    """
    for view in profile.classes():
        if view.total("judged") >= FEW and view.suspected_merged_share > CROWDED:
            yield Found(
                f"{percent(view.suspected_merged_share)} of the {objects_of(view)} look like several that "
                "touch, so convexity reads low",
                "scan instance ids if there are any",
            )
