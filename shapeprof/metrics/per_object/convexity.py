"""How convex it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from shapeprof.metrics.bins import DEPTH, LENGTH, UNIT
from shapeprof.metrics.metric import metric

from .holes import hole_area

if TYPE_CHECKING:
    from shapeprof.metrics.geometry import Geometry


@metric("area", "int64", unit="px", low=1, bins=LENGTH, shows=(5, 50, 95))
def area(geometry: Geometry) -> NDArray[Any]:
    """Pixels of the object, holes excluded."""
    return geometry.outline.area


@metric("hull_area", "int64", unit="px", low=1)
def hull_area(geometry: Geometry) -> NDArray[Any]:
    """Lattice points in the convex hull of its pixel centres.

    By Pick's theorem ``A + B / 2 + 1``, with A the polygon's area and B the lattice points on its closed boundary.
    """
    return geometry.outline.hull_area


@metric("convexity", low=0, high=1, bins=UNIT, shows=(5, 25, 50, 75, 95), shows_by_area=(5, 25, 50))
def convexity(geometry: Geometry) -> NDArray[Any]:
    """area / hull_area; 1 exactly for digitally convex objects. Also called solidity.

    ``A / (A_hull + B / 2 + 1)``, both areas counted in pixels (see hull_area). It is 1 if and only if the object is
    digitally convex, at every size; scikit-image's solidity reads 0.923 to 0.994 on discs of 2 to 100 px radius. On
    concave shapes with sharp tips it reads high when they are small: rules read it from objects of 200 px or more.
    """
    share: NDArray[Any] = area(geometry) / hull_area(geometry)
    return share


@metric("convexity_filled", low=0, high=1, bins=UNIT, shows=(50,))
def convexity_filled(geometry: Geometry) -> NDArray[Any]:
    """(area + hole_area) / hull_area: convexity with its holes counted in.

    Holes lie inside the hull, so it is at least convexity, and 1 for an annulus.
    """
    filled: NDArray[Any] = (area(geometry) + hole_area(geometry)) / hull_area(geometry)
    return filled


@metric("concavity_depth", unit="px", low=0, bins=DEPTH, shows=(50, 90))
def concavity_depth(geometry: Geometry) -> NDArray[Any]:
    """Depth of its deepest concavity: the largest distance from the boundary of its hull to its pixel centres.

    At most 0.5 px too small. 0 up to 1 px, the steps of a digitised straight edge, so 0 for digitally convex objects.
    A concavity matters to a network only when it is deeper than the stride of its features.
    """
    from shapeprof.metrics.concavity import concavity_depth

    return concavity_depth(geometry.runs, geometry.members, area(geometry), hull_area(geometry))
