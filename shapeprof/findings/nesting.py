"""Findings about classes inside other classes."""

from __future__ import annotations

from collections.abc import Iterator

from shapeprof.profile.profile import Profile
from shapeprof.recommend.decision import Recommendation
from shapeprof.wording import brief, percent

from .finding import Found
from .registry import finding
from .thresholds import NESTED


@finding("class-in-holes", "info")
def class_in_holes(profile: Profile, recommendation: Recommendation | None) -> Iterator[Found]:
    """Most of one class lies in holes of another, as a nucleus in its cell.

    Seen: over half of the inner class's pixels lie in holes of objects of the outer class.

    Why it matters: a pixel has one class, so the inner class cuts holes into the outer one. The outer class's
    convexity is low for that reason, though its outline may be convex.

    What to do: nothing if only the design matters (``convexity_filled`` in --json counts the holes in). Where both
    are wanted whole, export with --multi-label: classes may overlap then.
    """
    for nested in profile.nested():
        if nested.share_of_inner > NESTED:
            outer, inner = brief(profile.name_of(nested.outer)), brief(profile.name_of(nested.inner))
            yield Found(
                f"{percent(nested.share_of_inner)} of {inner} lies in holes of {outer}, which lowers its convexity",
                "export --multi-label to predict both whole",
            )
