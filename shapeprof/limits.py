"""Limits that an option can change, and that code without options needs too."""

from __future__ import annotations

MAX_PIXELS = 2**29  # chosen: 23,170 x 23,170; a larger file is more likely a decompression bomb than a mask
MEMORY_GB = 8.0  # chosen: memory of a common GPU, GB
