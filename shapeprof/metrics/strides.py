"""The strides at which survival is measured."""

from __future__ import annotations

STRIDES = (2, 4, 8, 16, 32)
