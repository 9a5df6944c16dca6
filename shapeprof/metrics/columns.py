"""The columns of ``objects.parquet``: every per-object measurement with its unit, range and meaning.

This table is the one place where a column is declared: it drives the file's schema, the
documentation page, ``shapeprof explain`` and the tests of ranges.
"""

from __future__ import annotations

from dataclasses import dataclass

STRIDES = (2, 4, 8, 16, 32)


@dataclass(frozen=True, slots=True)
class Column:
    """One column; ``low`` and ``high`` bound its values (None: unbounded)."""

    name: str
    dtype: str  # a NumPy type name
    unit: str
    low: float | None
    high: float | None
    meaning: str
    undefined: str = "never"


def _declare() -> tuple[Column, ...]:
    c = Column
    columns = [
        c("class_id", "int32", "", 0, None, "id of the class"),
        c("object_id", "int64", "", 0, None, "instance id, or the object's number in its mask, from 1, row by row"),
        c("min_row", "int32", "px", 0, None, "box, half-open"),
        c("min_col", "int32", "px", 0, None, "box, half-open"),
        c("max_row", "int32", "px", 1, None, "box, half-open"),
        c("max_col", "int32", "px", 1, None, "box, half-open"),
        c("area", "int64", "px", 1, None, "pixels of the object, holes excluded"),
        c("hull_area", "int64", "px", 1, None, "lattice points in the convex hull of its pixel centres"),
        c("convexity", "float64", "", 0, 1, "area / hull_area; 1 exactly for digitally convex objects (solidity)"),
        c("convexity_filled", "float64", "", 0, 1, "(area + hole_area) / hull_area: its holes counted in"),
        c("concavity_depth", "float64", "px", 0, None,
          "largest distance from the boundary of its hull to its pixel centres, at most 0.5 px too small; "
          "0 up to 1 px, so for digitally convex objects too"),
        c("hole_count", "int64", "", 0, None, "4-connected background regions inside"),
        c("hole_area", "int64", "px", 0, None, "pixels in its holes, whatever fills them"),
        c("hole_share", "float64", "", 0, 1, "hole_area / (area + hole_area)"),
        c("perimeter", "float64", "px", 0, None, "Crofton, 4 directions, holes and image border included"),
        c("isoperimetric_quotient", "float64", "", 0, 1.75,
          "4 pi area / perimeter^2: 1 for a disc; over 1 for tiny objects, whose perimeter the estimator reads low "
          "(1.75 for one pixel, 1.2 for 2 x 2; the largest there are)"),
        c("boundary_density", "float64", "1/px", 0, 2.69, "perimeter / area; 2.68 for one pixel"),
        c("feret_max", "float64", "px", 1, None, "largest distance between two corners of its pixels"),
        c("extent", "int32", "px", 1, None, "longest side of the box"),
        c("mean_width", "float64", "px", 0, None, "width of the ribbon with its area and perimeter"),
        c("local_width", "float64", "px", 0, 63, "mean over its pixels of the widest disc inside that covers them",
          "where the mask is not in the sample (see --survival-sample, --thickness)"),
        c("pieces", "int64", "", 1, None, "8-connected components; more than 1 only with instance ids"),
        c("touching", "bool", "", 0, 1,
          "has a pixel of another object of its class among its neighbours; only with instance ids"),
        c("suspected_merged", "float64", "", 0, 1,
          "1 if its distance map cuts it at necks into convex parts: probably several objects; 0 if not, if under "
          "200 px, and with instance ids",
          "where the mask is not in the sample (see --survival-sample), and in semantic masks of more than 2^24 px"),
        c("truncated", "bool", "", 0, 1, "touches the image border"),
        c("borders_ignored", "bool", "", 0, 1, "has an ignored pixel among its neighbours"),
        c("ignored_edges", "int64", "px", 0, None, "pixel edges of its outline beyond which lies an ignored pixel"),
        c("measured", "bool", "", 0, 1, "area is at least the floor (--floor)"),
    ]  # fmt: skip
    for s in STRIDES:
        columns.append(
            c(f"survival_nearest_{s}", "float64", "", 0, 1, f"share of its pixels that stride {s} keeps, nearest")
        )
    return tuple(columns)


COLUMNS = _declare()
