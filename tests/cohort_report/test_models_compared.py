"""Models compared on tables whose answers are known."""

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from ct_assets.cohort_report.models_compared import anova, compare_models, pair

MODELS = ["2d", "3d_lowres", "3d_fullres"]


def qc(values: dict[str, list[float]], metric: str = "dice", organ: str = "heart") -> pd.DataFrame:
    rows = [
        {"SeriesInstanceUID": f"1.{place}", "metric": metric, "subject": organ, "model": model, "value": value}
        for model, found in values.items()
        for place, value in enumerate(found)
    ]
    return pd.DataFrame(rows)


def test_a_model_that_is_always_better() -> None:
    base = np.linspace(0.70, 0.79, 10)
    table = qc({"2d": base.tolist(), "3d_fullres": (base + 0.1).tolist()})
    distances = qc({"2d": [4.0] * 10, "3d_fullres": [2.0, 3.0] * 5}, metric="hd95_volumetric")
    (heart,) = compare_models(pd.concat([table, distances]), MODELS)
    assert (heart.organ, heart.complete, heart.anova) == ("heart", 10, None)
    first, second = heart.models
    assert (first.model, first.n, first.best, first.median_hd95_mm) == ("2d", 10, 0, 4.0)
    assert (second.model, second.n, second.best, second.median_hd95_mm) == ("3d_fullres", 10, 10, 2.5)
    assert second.median_dice == pytest.approx(0.845)
    (result,) = heart.pairs
    assert (result.first, result.second, result.n) == ("2d", "3d_fullres", 10)
    assert result.median_difference == pytest.approx(-0.1)
    assert (result.first_better, result.second_better) == (0, 10)
    # All ten differences have one sign: the exact two-sided p of Wilcoxon's test is 2 / 2**10.
    assert result.wilcoxon_p == pytest.approx(2 / 1024)
    assert result.pearson == pytest.approx(1.0)
    assert result.paired_t_p is None  # a constant difference has no variance to test against


def test_p_values_are_those_of_scipy() -> None:
    random = np.random.default_rng(7)
    a, b = random.normal(0.8, 0.05, 122), random.normal(0.81, 0.05, 122)
    result = pair("a", "b", pd.DataFrame({"a": a, "b": b}))
    assert result.paired_t_p == pytest.approx(stats.ttest_rel(a, b).pvalue)
    assert result.wilcoxon_p == pytest.approx(stats.wilcoxon(a, b).pvalue)
    assert result.pearson == pytest.approx(stats.pearsonr(a, b).statistic)
    assert result.median_difference == pytest.approx(np.median(a - b))
    assert result.first_better + result.second_better == 122


def test_only_series_of_both_models_are_pairs_and_only_complete_ones_have_a_best() -> None:
    nan = math.nan
    table = qc(
        {
            "2d": [0.9, 0.5, 0.7, nan],
            "3d_lowres": [0.8, 0.6, 0.7, 0.9],
            "3d_fullres": [0.7, nan, 0.1, 0.9],
        }
    )
    (heart,) = compare_models(table, MODELS)
    assert heart.complete == 2
    assert [model.n for model in heart.models] == [3, 4, 3]
    assert [model.best for model in heart.models] == [1, 0, 0]  # series 2 is a tie
    assert [entry.n for entry in heart.pairs] == [3, 2, 3]
    assert (heart.pairs[0].first_better, heart.pairs[0].second_better) == (1, 1)
    assert all(entry.wilcoxon_p is entry.paired_t_p is entry.pearson is None for entry in heart.pairs)


def test_five_pairs_have_no_p_value_and_six_have() -> None:
    values = pd.DataFrame({"a": [0.1, 0.2, 0.3, 0.4, 0.5, 0.6], "b": [0.2, 0.4, 0.35, 0.7, 0.6, 0.61]})
    assert pair("a", "b", values.head(5)).wilcoxon_p is None
    assert pair("a", "b", values).wilcoxon_p == pytest.approx(2 / 64)


def test_equal_models_differ_in_nothing() -> None:
    same = np.linspace(0.5, 0.9, 20)
    result = pair("a", "b", pd.DataFrame({"a": same, "b": same}))
    assert (result.first_better, result.second_better, result.median_difference) == (0, 0, 0.0)
    assert (result.wilcoxon_p, result.paired_t_p) == (None, None)


def test_anova_of_three_models() -> None:
    # Two models give F = t squared, so a third that is a copy shifted by nothing checks the sums by hand.
    values = np.array(
        [[1.0, 2.0, 3.0], [2.0, 3.0, 5.0], [3.0, 5.0, 6.0], [1.0, 1.0, 4.0], [2.0, 4.0, 4.0], [3.0, 3.0, 5.0]]
    )
    found = anova(pd.DataFrame(values, columns=MODELS))
    assert found is not None
    centred = values - values.mean(axis=1, keepdims=True)
    effects = centred.mean(axis=0)
    rest = centred - effects
    f = (6 * (effects**2).sum() / 2) / ((rest**2).sum() / 10)
    assert (found.n, found.degrees, found.f) == (6, (2, 10), pytest.approx(f))
    assert found.p == pytest.approx(stats.f.sf(f, 2, 10))
    assert anova(pd.DataFrame(values[:, :2], columns=MODELS[:2])) is None
    assert anova(pd.DataFrame(values[:5], columns=MODELS)) is None


def test_nothing_to_compare() -> None:
    assert compare_models(qc({"2d": [0.8] * 9}), MODELS) == []
    assert compare_models(qc({"2d": [0.8] * 9, "expert": [1.0] * 9}), MODELS) == []
    assert compare_models(qc({"2d": [0.8], "3d_fullres": [0.9]}, metric="sphericity"), MODELS) == []


def test_models_that_share_no_series() -> None:
    nan = math.nan
    table = qc({"2d": [0.8, nan], "3d_fullres": [nan, 0.9]})
    (heart,) = compare_models(table, MODELS)
    assert heart.complete == heart.pairs[0].n == 0
    assert math.isnan(heart.pairs[0].median_difference)
