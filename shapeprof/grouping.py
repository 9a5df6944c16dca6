"""Groups: masks that are no independent samples (frames of one video, sides of one patient)."""

from __future__ import annotations

import re

from .errors import UsageError


def group_regex(pattern: str) -> re.Pattern[str]:
    """The compiled ``pattern``, a regular expression with one capture group.

    Raises:
        UsageError: it is no regular expression, or has another number of capture groups.
    """
    try:
        regex = re.compile(pattern)
    except re.error as error:
        raise UsageError(f"group pattern {pattern!r}: {error}; expected a regular expression") from None
    if regex.groups != 1:
        raise UsageError(f"group pattern {pattern!r}: {regex.groups} capture groups; expected one, as in '(.+)_f'")
    return regex


def group_of(path: str, regex: re.Pattern[str] | None) -> str | None:
    """What ``regex`` captures in a mask's relative path; None without a match: the mask stands alone."""
    found = regex.search(path) if regex else None
    return found.group(1) if found else None
