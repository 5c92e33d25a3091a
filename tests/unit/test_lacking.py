"""Metrics without a number are rows: one per metric and reason, each with its remedy."""

from __future__ import annotations

from boothlab.metrics import METRICS
from boothlab.reports.lacking import lacking, parted
from boothlab.reports.rulings import FIRST

FETCH = "FID's weights are not here; `boothlab fetch inception FILE`."
NONE = "there are no held-out photos"


def line(metric: str, reference: str, reason: str, pictures: str = "context") -> dict[str, str]:
    return {"metric": metric, "pictures": pictures, "reference": reference, "reason": reason}


def test_a_row_per_metric_and_reason_and_rows_of_one_reason_together() -> None:
    rows = lacking(
        [
            line("kid", "train", FETCH),
            line("lpips_cross", "held_out", NONE),
            line("fid", "originals", FETCH),
            line("fid", "train", FETCH),
            line("fid", "train", FETCH),
            line("fid", "held_out", NONE),
        ],
        METRICS,
    )
    assert [(row.metric.name, row.where, row.reason) for row in rows] == [
        ("lpips_cross", "context / held_out", NONE),
        ("fid", "context / held_out", NONE),
        ("fid", "context / originals, train", FETCH),
        ("kid", "context / train", FETCH),
    ]
    assert rows[2].said == f"not measured: {FETCH}"
    assert lacking([], METRICS) == ()


def test_what_somebody_has_a_number_for_is_no_row_of_these() -> None:
    few = "it needs 2 pictures that show something; there are 1"
    unavailable = [line("lpips_intra", "none", few, role) for role in ("bare", "class", "photos")]
    (row,) = lacking(unavailable, METRICS, {("lpips_intra", "bare", "none")})
    assert row.where == "class / none"


def test_rows_stand_in_the_table_where_the_numbers_would() -> None:
    rows = lacking(
        [line("kid", "originals", FETCH), line("fid", "train", FETCH), line("fid", "originals", FETCH)]
        + [line("identity", "held_out", NONE), line("identity", "held_out", NONE, "bare")],
        METRICS,
    )
    first, others = parted(rows, FIRST)
    assert [row.metric.name for row in first] == ["identity", "fid"]
    assert [row.metric.name for row in others] == ["kid"]
