"""What can go wrong, as one tree.

ShapeprofError                 any error that a user can mend; ``exit_code`` 1
├── UsageError                 an option or argument that makes no sense (exit code 2)
├── InputError                 a file or folder that can't be used as asked
│   ├── UnreadableMask         one mask file that can't be decoded: a finding, unless --strict
│   └── PairingError           images and masks that can't be matched
├── NothingMeasurable          a folder in which no mask could be measured (exit code 3)
├── ProfileError               a profile file that is damaged or of another schema
├── SpecError                  a spec that is invalid, or can't be built
└── OutputError                a place that can't be written, or holds something else

Every message has the value that was seen, what was expected and how to mend it. The path is
added once, where the file is known.
"""

from __future__ import annotations


class ShapeprofError(Exception):
    """Root of all errors that are the user's to mend. ``exit_code`` is what the command returns."""

    exit_code = 1


class UsageError(ShapeprofError):
    """An option or argument that makes no sense."""

    exit_code = 2


class InputError(ShapeprofError):
    """A file or folder that can't be used as asked."""


class UnreadableMask(InputError):
    """One mask file that can't be decoded or does not fit the detected encoding."""

    def __init__(self, path: str, code: str, message: str) -> None:
        super().__init__(path, code, message)
        self.path, self.code, self.message = path, code, message

    def __str__(self) -> str:
        return f"{self.path}: {self.message}"


class PairingError(InputError):
    """Images and masks that can't be matched."""


class NothingMeasurable(ShapeprofError):
    """No mask in the folder could be measured."""

    exit_code = 3


class ProfileError(ShapeprofError):
    """A profile file that is damaged or of another schema."""


class SpecError(ShapeprofError):
    """A spec that is invalid or can't be built."""


class OutputError(ShapeprofError):
    """A place that can't be written, or that holds something else."""
