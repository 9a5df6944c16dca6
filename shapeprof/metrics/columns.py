"""Other names of ``registry.all_metrics()`` and ``strides.STRIDES``."""

from __future__ import annotations

from .registry import all_metrics
from .strides import STRIDES

__all__ = ["COLUMNS", "STRIDES"]

COLUMNS = all_metrics()
