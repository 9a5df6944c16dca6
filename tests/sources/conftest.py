"""The real sets, when they are there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[3] / "shared" / "datasets"


@pytest.fixture
def shared() -> Callable[[str], Path]:
    """The folder of a real data set; skips where the sets are absent."""

    def find(name: str) -> Path:
        if not (SHARED / name).is_dir():
            pytest.skip(f"the real data set {name} is not at {SHARED}")
        return SHARED / name

    return find
