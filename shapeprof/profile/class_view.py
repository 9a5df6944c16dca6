"""The statistics of one class, read from its tally."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from shapeprof.metrics.bins import LENGTH, Bins
from shapeprof.metrics.registry import find_metric
from shapeprof.metrics.strides import STRIDES

from .tally import BASIS, NEAR, SHARE_UNIT, part


@dataclass(frozen=True)
class ClassView:
    """One class. A statistic without anything to read it from is NaN."""

    id: int
    name: str
    tally: NDArray[Any]

    def total(self, name: str) -> float:
        """Sum of a part."""
        return float(part(self.tally, name).sum())

    @property
    def found(self) -> int:
        """Objects found; ``found = measured + below_floor``."""
        return int(self.total("found"))

    @property
    def measured(self) -> int:
        """Objects at or over the floor."""
        return int(self.total("found") - self.total("below_floor"))

    @property
    def untruncated_only(self) -> bool:
        """Whether shape is read from untruncated objects: they hold at least half of the measured area."""
        truncated, untruncated = part(self.tally, "area_measured")
        return bool(untruncated >= truncated)

    def histogram(self, name: str) -> NDArray[Any]:
        """A histogram over untruncated objects, or over all where these hold under half of the area."""
        rows = part(self.tally, name)
        if rows.ndim == 1:
            return rows
        result: NDArray[Any] = rows[1] if self.untruncated_only else rows.sum(axis=0)
        return result

    def quantile(self, name: str, q: float, weight: str = "objects") -> float:
        """The q-quantile of a metric with a histogram, or of ``"width_pixels"``, the local width of pixels.

        ``name``: the metric's key. ``weight``: over measured objects (``"objects"``), or over the pixels of objects
        of at least 200 px (``"area"``, only for metrics with ``shows_by_area``). See ``Bins.error``.

        Raises:
            ValueError: there is no such histogram.
        """
        histogram = f"{name}_area" if weight == "area" else name
        return _bins_of(name, weight).quantile(self.histogram(histogram), q)

    def convexity(self, q: float, weight: str = "objects") -> float:
        """Quantile of convexity, in (0, 1], within 0.001; rules read it with ``weight="area"``."""
        return self.quantile("convexity", q, weight)

    @property
    def touching_share(self) -> float:
        """Share of measured objects that touch another of their class; only with instance ids."""
        return self.total("touching") / self.measured if self.measured else math.nan

    @property
    def suspected_merged_share(self) -> float:
        """Share of the sampled objects of at least 200 px that are probably several objects."""
        judged = self.total("judged")
        return self.total("suspected_merged") / judged if judged else math.nan

    def survival(self, stride: int, protocol: str = "linear") -> float:
        """Pixel-pooled IoU of the class after a round trip to ``stride``. In [0, 1]; 1 at stride 1.

        Protocols: ``linear``, ``nearest``, and ``best`` (NaN unless scanned with ``survival_best``).
        """
        if stride == 1:
            return 1.0
        k = STRIDES.index(stride)
        pixels = 2 * self.total("pixels" if protocol == "nearest" else f"{BASIS[protocol]}_pixels")  # two phases
        lost = float(part(self.tally, f"{protocol}_lost")[k])
        gained = float(part(self.tally, f"{protocol}_gained")[k])
        return (pixels - lost) / (pixels + gained) if pixels else math.nan

    def recall(self, stride: int, protocol: str = "linear", *, reliable: bool = True) -> float:
        """Share of objects that keep at least half of their pixels at ``stride``. In [0, 1].

        ``reliable``: only objects of at least 200 px (not with nearest), else all measured ones.
        """
        if stride == 1:
            return 1.0
        reliable = reliable and protocol != "nearest"
        k = STRIDES.index(stride)
        basis = BASIS.get(protocol)
        objects = self.total(f"{basis}_{'reliable' if reliable else 'objects'}") if basis else float(self.measured)
        kept = part(self.tally, f"{protocol}_kept" + ("_reliable" if reliable else ""))[k]
        return float(kept) / objects if objects else math.nan

    def per_object(self, stride: int, protocol: str = "linear") -> float:
        """Mean over measured objects of the share of their own pixels kept at ``stride``. In [0, 1]."""
        objects = float(self.measured) if protocol == "nearest" else self.total(f"{BASIS[protocol]}_objects")
        share = part(self.tally, f"{protocol}_share")[STRIDES.index(stride)]
        return float(share) / SHARE_UNIT / objects if objects else math.nan

    def near_boundary(self, distance: int) -> float:
        """Share of the class's pixels within 1, 2 or 4 px of a pixel outside their object. In [0, 1].

        From centre to centre; what lies outside the image is not outside the object. Over the masks that local width
        was measured on.
        """
        pixels = self.total("width_pixels")
        near = part(self.tally, "near_boundary")[NEAR.index(distance)]
        return float(near) / pixels if pixels else math.nan

    @property
    def ignored_boundary_share(self) -> float:
        """Share of the pixel edges around all objects beyond which lies an ignored pixel. In [0, 1]."""
        edges = float(part(self.tally, "crofton")[0])
        return self.total("ignored_edges") / edges if edges else math.nan

    @property
    def perimeter(self) -> float:
        """Crofton perimeter of all objects, px."""
        axis, diagonal = part(self.tally, "crofton")
        return float(math.pi / 8 * (axis + diagonal / math.sqrt(2)))


def _bins_of(name: str, weight: str) -> Bins:
    if name == "width_pixels" and weight == "objects":
        return LENGTH
    metric = find_metric(name)
    if metric is None or metric.bins is None or (weight != "objects" and not metric.shows_by_area):
        raise ValueError(f"{name!r} has no histogram over {weight}; declare bins (and shows_by_area) for this metric")
    return metric.bins
