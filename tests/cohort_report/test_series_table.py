"""The table of all series: order, outcomes and words."""

from typing import Any

import pandas as pd
import pytest

from ct_assets.cohort_report.series_table import SeriesRow, series_rows
from ct_assets.collection import Collection
from ct_assets.qc_report.rule import Outcome, Rule
from ct_assets.store.tables import COHORT, QC

Published = tuple[Collection, pd.DataFrame]


def finding(series: int, outcome: str, value: float | None, **changes: Any) -> dict[str, Any]:
    limits = {"lower": 0.6, "upper": 0.8}
    return dict.fromkeys(QC.columns, "") | {
        "PatientID": f"P{series}", "StudyInstanceUID": f"1.{series}", "SeriesInstanceUID": f"1.{series}.1",
        "rule": "sphericity", "metric": "sphericity", "subject": "heart", "model": "2d", "unit": "1", "value": value,
        "outcome": outcome, **limits, **changes,
    }  # fmt: skip


def rows(collection: Collection, *found: dict[str, Any]) -> list[SeriesRow]:
    frame = pd.DataFrame(found).astype({"value": float, "lower": float, "upper": float})
    return series_rows(frame, COHORT.empty(), {}, collection)


def test_failing_first_and_among_them_the_furthest_outside(nsclc: Published) -> None:
    missing = {"rule": "organ_missing", "metric": "voxels", "unit": "{voxels}", "lower": 1.0, "upper": None}
    found = rows(
        nsclc[0],
        finding(1, "pass", 0.7),
        finding(2, "fail", 0.5),
        finding(3, "not measurable", None),
        finding(4, "fail", 0.82),
        finding(4, "fail", 0.81, model="3d_fullres"),
        finding(5, "not evaluated", None),
        finding(6, "fail", 0.0, **missing),
        finding(6, "pass", 0.7),
        finding(7, "", 0.7, rule="", model="expert"),
    )
    assert [row.patient_id for row in found] == ["P6", "P2", "P4", "P3", "P1", "P5", "P7"]
    assert [row.outside for row in found[:4]] == pytest.approx([1.0, 0.5, 0.1, 0.0])
    assert [row.failures for row in found[:4]] == [1, 1, 2, 0]
    assert found[0].outcomes == {Rule.SPHERICITY: Outcome.PASS, Rule.ORGAN_MISSING: Outcome.FAIL}
    assert [row.overall for row in found[3:]] == [
        Outcome.NOT_MEASURABLE,
        Outcome.PASS,
        Outcome.NOT_EVALUATED,
        None,
    ]


def test_what_failed_in_words(nsclc: Published) -> None:
    row = rows(
        nsclc[0],
        finding(1, "fail", 0.5),
        finding(1, "fail", 0.58, model="3d_lowres"),
        finding(1, "fail", 0.9, model="3d_fullres", lower=0.7, upper=0.89),
        finding(
            1, "fail", 350.0, rule="lung_extent", metric="lung_extent", subject="lung", model="bpr_public", unit="mm",
            lower=217.0, upper=328.0,
        ),
    )[0]  # fmt: skip
    assert row.explanation == (
        "Sphericity, heart: 0.500 by 2d, 0.580 by 3d_lowres (0.6\u20130.8), 0.900 by 3d_fullres (0.7\u20130.89); "
        "Lung extent, lung: 350.0 (217\u2013328)"
    )


def test_an_unknown_outcome_is_a_defect(nsclc: Published) -> None:
    with pytest.raises(ValueError, match="no outcome: 'passed'"):
        rows(nsclc[0], finding(1, "passed", 0.7))
