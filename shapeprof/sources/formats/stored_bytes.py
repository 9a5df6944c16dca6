"""The bytes behind the name of a mask."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from shapeprof.errors import UnreadableMask

from .decoders import no_memory
from .members import split_name


def read_bytes(root: Path, path: str) -> bytes:
    """The bytes of the file behind a mask's name; raise UnreadableMask when the system refuses."""
    try:
        if "#" in path and (file := split_name(path, root))[1]:
            return _shared(root / file[0], (root / file[0]).stat().st_mtime_ns)
        with (root / path).open("rb") as opened:
            return opened.read()
    except PermissionError:
        raise UnreadableMask(
            path, "permission", "the system does not allow reading it; change its permissions (chmod +r)"
        ) from None
    except FileNotFoundError:
        raise UnreadableMask(path, "missing-file", "it is gone; expected the file that was listed") from None
    except MemoryError:
        raise no_memory(path) from None
    except OSError as error:
        raise UnreadableMask(path, "not-readable", f"{error.strerror}; check the disk or copy it") from error


@lru_cache(maxsize=2)
def _shared(file: Path, _modified: int) -> bytes:
    """The bytes of a file that many masks share. The last files are kept, as their masks are read one by one."""
    return file.read_bytes()
