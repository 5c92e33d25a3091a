"""Arrays in files of our own come back to the last bit, or not at all."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np

from boothlab.evaluation.arrays import read_arrays, write_arrays


def test_what_was_written_is_read(tmp_path: Path) -> None:
    rows = np.random.default_rng(0).normal(size=(3, 4))
    write_arrays(tmp_path / "deep" / "a.npz", {"rows": rows, "names": np.array(["x", "ü"])})
    found = read_arrays(tmp_path / "deep" / "a.npz")
    assert list(found) == ["rows", "names"]
    assert np.array_equal(found["rows"], rows)
    assert found["names"].tolist() == ["x", "ü"]


def test_of_a_file_with_any_one_bit_turned_come_the_same_numbers_or_none(tmp_path: Path) -> None:
    """The archive has check sums of what is in it. What NumPy raises then was of eight kinds."""
    path = tmp_path / "a.npz"
    rows = np.arange(12.0).reshape(3, 4)
    write_arrays(path, {"rows": rows})
    whole = path.read_bytes()
    none = 0
    for bit in range(8 * len(whole)):
        turned = bytearray(whole)
        turned[bit // 8] ^= 1 << bit % 8
        path.write_bytes(turned)
        found = read_arrays(path)
        none += "rows" not in found
        assert "rows" not in found or np.array_equal(found["rows"], rows), bit
    assert none > len(whole)


def test_what_is_not_there_or_not_ours_is_nothing(tmp_path: Path) -> None:
    assert read_arrays(tmp_path / "none.npz") == {}
    assert read_arrays(tmp_path) == {}
    buffer = io.BytesIO()
    np.savez(buffer, rows=np.array([{"a": 1}], dtype=object))
    (tmp_path / "pickled.npz").write_bytes(buffer.getvalue())
    assert read_arrays(tmp_path / "pickled.npz") == {}
    np.save(tmp_path / "one.npy", np.zeros(3))
    assert read_arrays(tmp_path / "one.npy") == {}
