"""Which masks are looked at when a whole set is too many: the same ones on every machine."""

from __future__ import annotations

SAMPLE = 64  # chosen: masks looked at to detect an encoding
COLOUR_SAMPLE = 256  # chosen: more for colours, as a colour that was not seen has no class
