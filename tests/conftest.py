"""Options and settings for all tests."""

from __future__ import annotations

import os

import pytest

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before torch is imported anywhere


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--accept", action="store_true", help="write golden files anew")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test that is not slow as quick, for ``scripts/test -m quick``."""
    for item in items:
        if item.get_closest_marker("slow") is None:
            item.add_marker("quick")


@pytest.fixture(scope="session", autouse=True)
def compiled_kernels() -> None:
    """Compile the kernels once, so that no test waits for, or hears of, the compiler."""
    import numpy as np

    from tests.metrics.images import label_map, measure_one

    labels = np.kron(np.arange(16).reshape(4, 4) % 3, np.ones((9, 9))).astype(np.uint8)
    measure_one(label_map(labels))
