"""The one kind of error that a user can mend; the trainer prints it as one line."""

from __future__ import annotations


class InputError(Exception):
    """A file or an option that can't be used as asked: what was seen, what was expected, how to mend it."""
