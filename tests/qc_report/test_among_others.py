"""What values of a series are compared with, and how that is drawn."""

import re

import pandas as pd
import pytest

from ct_assets.qc_report.comparison import Comparison, Comparisons
from ct_assets.qc_report.distribution import distribution
from ct_assets.qc_report.spark import spark_box
from ct_assets.store.tables import DISTRIBUTIONS


def cohort(*rows: tuple[str, str, str, int]) -> pd.DataFrame:
    numbers = {"minimum": 0.0, "p05": 0.1, "q1": 0.4, "median": 0.5, "q3": 0.6, "p95": 0.9, "maximum": 1.0}
    content = [dict(zip(("metric", "subject", "model", "n"), row, strict=True), unit="1", **numbers) for row in rows]
    return pd.DataFrame(content, columns=list(DISTRIBUTIONS.columns))


@pytest.mark.parametrize(
    ("n", "feature", "expected"),
    [
        (100, "Sphericity", "cohort, 2d, n = 100"),
        (99, "Sphericity", "NSCLC-Radiomics, 2d, n = 414"),
        (99, "MeshVolume", "cohort, 2d, n = 99"),
        (5, "MeshVolume", "cohort, 2d, n = 5"),
        (4, "MeshVolume", None),
    ],
)
def test_the_cohort_is_preferred_once_it_is_large_enough(n: int, feature: str, expected: str | None) -> None:
    metric = {"Sphericity": "sphericity"}.get(feature, feature)
    found = Comparisons(cohort((metric, "heart", "2d", n)), cohort_minimum=100).of(feature, "heart", ["2d", "expert"])
    assert (found and found.of) == expected


def test_the_expert_is_compared_with_the_models() -> None:
    rows = cohort(
        ("volume", "heart", "expert", 500), ("volume", "heart", "2d", 500), ("volume", "lungs", "expert", 500)
    )
    comparisons = Comparisons(rows, 100)
    heart, lungs = comparisons.of("volume", "heart", ["expert", "2d"]), comparisons.of("volume", "lungs", ["expert"])
    assert heart is not None
    assert lungs is not None
    assert (heart.of, lungs.of) == ("cohort, 2d, n = 500", "cohort, expert, n = 500")


def positions(svg: str, kind: str) -> list[float]:
    return [float(x) for x in re.findall(rf'class="{kind}"[^>]*?(?:cx="|d="M)([\d.]+)', svg)]


def test_marks_lie_in_proportion() -> None:
    svg = spark_box(
        Comparison("cohort", distribution(range(101))), {"2d": 0.0, "expert": 200.0, "3d_lowres": 50.0}, (None, 100.0)
    )
    dots, ring, limit, median = (positions(svg, kind) for kind in ("dot", "ring", "limit", "median"))
    start, end = dots[0], ring[0]
    assert (dots[1] - start) / (end - start) == pytest.approx(0.25, abs=0.005)
    assert (limit[0] - start) / (end - start) == pytest.approx(0.5, abs=0.005)
    assert median == [dots[1]]


def test_one_value_for_all_and_hostile_names_are_no_trouble() -> None:
    svg = spark_box(Comparison("<b>", distribution([2.0, 2.0])), {"<i>": 2.0})
    assert "nan" not in svg
    assert "<b>" not in svg
    assert "<i>" not in svg
