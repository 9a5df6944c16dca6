"""Arrow arrays from buffers, against pyarrow's own conversions."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shapeprof.scan.arrow import arrow_array, arrow_text, numpy_array

from .builders import discs, write_set


@pytest.mark.parametrize("dtype", ["int32", "int64", "float64", "bool"])
@pytest.mark.parametrize("size", [0, 1, 7, 8, 9, 1000])
def test_arrays_go_there_and_back(dtype: str, size: int) -> None:
    values = np.random.default_rng(size).integers(-9, 9, size).astype(dtype)
    if dtype == "float64":
        values[::3] = np.nan
    array = arrow_array(values)
    assert array.equals(pa.array(values)) or dtype == "float64"
    assert array.type == pa.array(values).type and array.null_count == 0
    np.testing.assert_array_equal(numpy_array(array), values)
    np.testing.assert_array_equal(numpy_array(array[size // 3 :]), values[size // 3 :])
    np.testing.assert_array_equal(numpy_array(arrow_array(np.repeat(values, 2)[::2])), values)  # not contiguous


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]))))
def test_text(texts: list[str]) -> None:
    assert arrow_text(texts).equals(pa.array(texts, pa.string()))


@pytest.mark.slow
def test_neither_a_scan_nor_its_repetition_imports_pandas(tmp_path: Path) -> None:
    write_set(tmp_path / "masks", discs(6, 20))
    lines = (
        "import sys",
        "from pathlib import Path",
        "from shapeprof import scan_masks",
        "[scan_masks(Path('masks')) for _ in range(2)]",
        "print('pandas' in sys.modules)",
    )
    code = "\n".join(lines)
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
