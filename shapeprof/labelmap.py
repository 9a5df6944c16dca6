"""The value that every mask becomes: a map of class ids, with the table of its classes.

Arrays are ``(row, column)``. The largest value of a label array's type (255 for uint8, 65535
for uint16) is the ignore index and belongs to no class.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class ClassTable:
    """The classes of a mask set: ``names[i]`` is the name of class id ``i``.

    A mask may hold ids beyond the table (a class that no sampled mask held); they count as
    foreground and are named after their id.
    """

    names: tuple[str, ...]
    background: int | None = 0  # id of the class that is no object; None: every class is foreground

    def name_of(self, class_id: int) -> str:
        """The name of ``class_id``, or ``"class <id>"`` beyond the table."""
        return self.names[class_id] if class_id < len(self.names) else f"class {class_id}"


@dataclass(frozen=True, slots=True)
class LabelMap:
    """One decoded mask."""

    labels: NDArray[Any]  # (H, W) uint8 or uint16: class ids; the type's largest value is ignored
    classes: ClassTable
    path: str  # relative to the mask folder, forward slashes
    instances: NDArray[Any] | None = None  # (H, W) uint16 or uint32 object ids, 0 for no object
    digest: str = ""  # BLAKE2b of the file's bytes, 16 bytes in hex

    @property
    def ignore_index(self) -> int:
        """The value in ``labels`` that belongs to no class."""
        return ignore_index(self.labels.dtype)


def ignore_index(dtype: np.dtype[Any] | type[np.generic]) -> int:
    """The ignore index of label arrays of ``dtype``: 255 for uint8, 65535 for uint16."""
    import numpy as np

    return int(np.iinfo(dtype).max)
