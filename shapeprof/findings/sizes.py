"""Findings about objects that are small, thin, few or not there."""

from __future__ import annotations

from collections.abc import Iterator

from shapeprof.metrics.metric import RELIABLE_AREA
from shapeprof.profile.profile import Profile
from shapeprof.recommend.decision import Recommendation
from shapeprof.wording import brief, percent, plural, quantity

from .finding import Found, objects_of
from .registry import finding
from .thresholds import FEW, THIN, UNRELIABLE


@finding("objects-small", "info")
def objects_small(profile: Profile, recommendation: Recommendation | None) -> Iterator[Found]:
    """Many objects of a class are too small to read their convexity from.

    Seen: over 40 % of the measured objects have under 200 px. Of so few pixels the convex hull of a concave shape is
    hardly larger than the shape: its convexity reads high.

    What to do: trust width and survival instead; rules read convexity from larger objects only. Where the masks were
    drawn at a higher resolution, scan them at that resolution.
    """
    for view in profile.classes():
        small = 1 - view.total("reliable") / view.measured if view.measured else 0.0
        if small > UNRELIABLE:
            yield Found(
                f"{percent(small)} of the {objects_of(view)} are under {RELIABLE_AREA} px, too small to read convexity "
                "from",
                "judge them by width instead",
            )


@finding("thin-parts", "info")
def thin_parts(profile: Profile, recommendation: Recommendation | None) -> Iterator[Found]:
    """A tenth of a class is under 2 px wide.

    Seen: the 10 % quantile of local width (the widest disc that fits inside, by area) is under 2 px.

    Why it matters: at half the size such parts are under a pixel wide and vanish from the mask.

    What to do: keep the images at full size; take crops where memory is short. Random resizing in the exported
    training does not shrink below that width either.
    """
    for view in profile.classes():
        width = view.quantile("width_pixels", 0.1)
        if width < THIN:
            yield Found(
                f"a tenth of {brief(view.name)} is under {quantity(THIN)} px wide and vanishes when images shrink",
                "train on crops at full size",
            )


@finding("few-objects", "info")
def few_objects(profile: Profile, recommendation: Recommendation | None) -> Iterator[Found]:
    """A class has too few objects to decide about the network.

    Seen: the class has fewer measured objects than rules ask for (``min_objects``), or under 10. Its statistics say
    little about the next image, so it decides nothing, though it is trained like the others.

    What to do: label more images that show it, or leave it out or merge it with another (--exclude-class,
    --merge-classes).
    """
    deciding = None if recommendation is None else {name for name, _ in recommendation.limits}
    for view in profile.classes():
        if view.measured > 0 and (view.measured < FEW or (deciding is not None and view.name not in deciding)):
            yield Found(
                f"{brief(view.name)} has {plural(view.measured, 'measured object')}, too few to decide anything",
                "label more of it, or merge it with another class (--merge-classes)",
            )


@finding("all-below-floor", "warning")
def all_below_floor(profile: Profile, recommendation: Recommendation | None) -> Iterator[Found]:
    """No object is large enough to be measured.

    Seen: objects were found, and all are under the smallest area that is measured (--floor, 32 px by default).

    What to do: scan with a smaller --floor. If the objects should be larger, check whether the masks were resized,
    and whether the values are read as meant (--explain-input).
    """
    views = profile.classes()
    if views and not any(view.measured for view in views):
        yield Found(
            f"no object reaches the floor of {profile.arguments.get('floor', 32)} px, so none is measured",
            "scan again with a smaller --floor",
        )


@finding("one-class-only", "warning")
def one_class_only(profile: Profile, recommendation: Recommendation | None) -> Iterator[Found]:
    """Every pixel of every mask is one class.

    Seen: one class, no background: there is nothing to tell the class from, and a network learns a constant.

    What to do: check which value is the background (--background VALUE), and whether the masks are the right files
    (--explain-input).
    """
    views = profile.classes()
    if len(views) == 1 and views[0].total("pixels") == profile.pixels - profile.ignored:
        yield Found(
            f"every pixel of every mask is {brief(views[0].name)}: there is nothing to tell it from",
            "say which value is the background (--background)",
        )
