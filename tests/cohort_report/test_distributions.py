"""Distributions of a cohort, and rules that are judged by them."""

import numpy as np
import pandas as pd
import pytest

from ct_assets.cohort_report.distributions import distributions
from ct_assets.qc_report.judge import judged
from ct_assets.qc_report.limits import LimitsInForce
from ct_assets.qc_settings import QualityControl
from ct_assets.store.tables import DISTRIBUTIONS, QC, SHAPE_FEATURES


def qc_rows(values: np.ndarray, metric: str = "volume") -> pd.DataFrame:
    content = dict.fromkeys(QC.columns, "") | {"metric": metric, "subject": "heart", "model": "2d", "unit": "mL"}
    rows = pd.DataFrame([content] * len(values))
    return rows.assign(value=values, lower=np.nan, upper=np.nan, SeriesInstanceUID=[f"1.{i}" for i in range(len(rows))])


def feature_rows(values: list[float | None]) -> pd.DataFrame:
    content = {"model": "2d", "organ": "heart", "feature": "MeshVolume", "unit": "mm3"}
    return pd.DataFrame([content] * len(values), columns=list(SHAPE_FEATURES.columns)).assign(value=values)


def test_quantiles_are_numpys() -> None:
    values = np.random.default_rng(0).lognormal(6.5, 0.2, 300)
    found = distributions(qc_rows(values), feature_rows([1.0, None, 3.0])).set_index("metric")
    volume = found.loc["volume"]
    expected = np.percentile(values, [0, 5, 25, 50, 75, 95, 100])
    assert volume[["minimum", "p05", "q1", "median", "q3", "p95", "maximum"]].tolist() == pytest.approx(expected)
    assert (volume["n"], found.loc["MeshVolume", "n"], found.loc["MeshVolume", "median"]) == (300, 2, 2.0)


def test_nothing_measured_is_an_empty_table() -> None:
    found = distributions(QC.empty(), SHAPE_FEATURES.empty())
    assert list(found.columns) == list(DISTRIBUTIONS.columns)
    assert found.empty


def test_outliers_of_a_large_cohort_are_those_of_numpys_fences() -> None:
    values = np.random.default_rng(1).standard_t(3, 500) * 60 + 650
    rows = qc_rows(values)
    limits = LimitsInForce(QualityControl(), distributions(rows, SHAPE_FEATURES.empty()))
    table = judged(rows, limits, None)
    q1, q3 = np.percentile(values, [25, 75])
    outside = (values < q1 - 1.5 * (q3 - q1)) | (values > q3 + 1.5 * (q3 - q1))
    assert ((table["outcome"] == "fail").to_numpy() == outside).all()
    assert 0 < outside.sum() < 50
    assert set(table["limits_from"]) == {"cohort, n = 500"}
