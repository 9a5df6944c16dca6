"""Writing files so that they are whole or absent, whenever the process dies."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from .errors import OutputError

REMEDY = "make room or choose another folder with -o"


def write(path: Path, content: str | bytes, remedy: str = REMEDY) -> None:
    """Write a file, and the folders above it. Text is written as UTF-8 with ``\\n`` line ends.

    Raises:
        OutputError: it can't be written; the message ends in ``remedy``.
    """
    data = content.encode("utf-8", "surrogateescape") if isinstance(content, str) else content
    partial = temporary(path)
    with writing(path, remedy):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            partial.write_bytes(data)
            partial.replace(path)
        except OSError:
            with suppress(OSError):
                partial.unlink(missing_ok=True)
            raise


def temporary(path: Path) -> Path:
    """The name under which this process writes ``path`` until it is whole."""
    return path.with_name(f"{path.name[:50]}.{os.getpid()}.part")  # a name has at most 255 bytes


@contextmanager
def writing(path: Path, remedy: str = REMEDY) -> Iterator[None]:
    """Turn any OSError raised while ``path`` is written into an OutputError that ends in ``remedy``."""
    try:
        yield
    except OSError as error:
        raise OutputError(f"{path}: can't be written ({error.strerror or error}); {remedy}") from None
