"""The tables beside a study's page: those of its present shape, and no others."""

from __future__ import annotations

from pathlib import Path

from boothlab.api.studies.exports import write_more, write_tables
from study_made import made_point


def test_tables_that_a_study_has_no_more_go(tmp_path: Path) -> None:
    """A study that had three subjects, rivals and a search, and now has one subject and two runs."""
    head = (["a"], [[1]])
    write_tables(tmp_path, [made_point("x", {})], [], [])
    write_more(
        tmp_path, {"subjects": head, "subject_differences": head, "rivals": head, "trials": head}, {"rivals": head}
    )
    (tmp_path / "trials.parquet").write_bytes(b"of an earlier call with pyarrow")
    (tmp_path / "mine.csv").write_text("of the user")
    (tmp_path / "trials.json").write_text("{}")
    files = write_more(tmp_path, {"carried": head}, {})
    there = {path.name for path in tmp_path.iterdir()}
    assert there == {*files, "mine.csv", "trials.json"} - {"study.toml"}
    assert {"table.csv", "table.md", "table.tex", "pictures.csv", "effects.csv", "carried.csv"} <= there
