"""What reading a folder finds out about it: one value, made by every reader and kept in the profile."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Severity = Literal["error", "warning", "info"]


@dataclass(frozen=True, slots=True)
class Issue:
    """Something about the input that the user should know: one file, or (path "") the whole set."""

    severity: Severity
    code: str  # stable, machine-readable: "truncated-file", "palettes-differ", ...
    message: str  # what was seen, what was expected, how to mend it
    path: str = ""  # relative to the mask folder, forward slashes
