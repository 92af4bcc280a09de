"""Rules at and around their limits, and which limits are in force."""

import numpy as np
import pandas as pd
import pytest

from ct_assets.qc_report.finding import worst
from ct_assets.qc_report.judge import judged
from ct_assets.qc_report.limits import LimitsInForce
from ct_assets.qc_report.rule import Outcome, Rule
from ct_assets.qc_report.rules import RULES
from ct_assets.qc_report.severity import severity
from ct_assets.qc_settings import QualityControl
from ct_assets.store.tables import DISTRIBUTIONS, QC


def row(
    metric: str, value: float | None, subject: str = "heart", model: str = "3d_fullres", **more: str
) -> pd.DataFrame:
    content = {
        **dict.fromkeys(QC.columns, ""), "SeriesInstanceUID": "1.2", "metric": metric, "value": value,
        "subject": subject, "model": model, "lower": None, "upper": None, **more,
    }  # fmt: skip
    return pd.DataFrame([content]).astype({"value": float, "lower": float, "upper": float})


def judge_one(
    metric: str, value: float | None, subject: str = "heart", model: str = "3d_fullres", **settings: object
) -> "pd.Series[object]":
    qc = QualityControl.model_validate(settings)
    rows = judged(row(metric, value, subject, model), LimitsInForce(qc, DISTRIBUTIONS.empty()), qc.largest_region)
    return rows.iloc[0]


def test_outcomes_are_the_words_of_the_table() -> None:
    assert [str(outcome) for outcome in Outcome] == ["pass", "not evaluated", "not measurable", "fail"]


def test_every_rule_judges_one_metric_and_says_where_it_is_from() -> None:
    assert {rule.rule for rule in RULES.values()} == set(Rule)
    assert len(RULES) == len(Rule)
    for rule in RULES.values():
        assert "Source: " in (rule.passes.__doc__ or ""), rule.rule


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_limits_belong_to_the_range(rule) -> None:
    values = np.array([np.nextafter(1.0, 0), 1.0, 1.5, 2.0, np.nextafter(2.0, 3)])
    passed = rule.passes(values, np.full(5, 1.0), np.full(5, 2.0))
    assert passed.tolist() == [False, True, True, True, False]
    assert rule.passes(values, np.full(5, np.nan), np.full(5, np.nan)).all()


@pytest.mark.parametrize(
    ("model", "organ", "minimum"),
    [
        ("3d_fullres", "heart", 0.78),
        ("3d_fullres", "esophagus", 0.60),
        ("3d_lowres", "heart", 0.76),
        ("2d", "esophagus", 0.55),
    ],
)
def test_dice_has_the_published_fifth_percentile_of_the_model(model: str, organ: str, minimum: float) -> None:
    good, bad = judge_one("dice", minimum, organ, model), judge_one("dice", minimum - 0.001, organ, model)
    assert (good["rule"], good["outcome"], good["lower"]) == ("dice", "pass", minimum)
    assert (bad["outcome"], bad["explanation"]) == ("fail", f"{minimum - 0.001:.4g} is below {minimum:.4g}")
    assert bad["limits_from"] == "collection"


def test_a_metric_without_limit_has_a_value_and_no_outcome() -> None:
    for found in (judge_one("dice", 0.1, "aorta"), judge_one("dice", 0.1, "heart", dice_minimum={"heart": None})):
        assert (found["rule"], found["outcome"], found["value"]) == ("", "", 0.1)
    assert judge_one("sphericity", 0.1, model="expert")["rule"] == ""
    assert judge_one("hausdorff", 300.0)["rule"] == ""


def test_thresholds_are_set_by_organ_and_model_over_the_defaults() -> None:
    settings = {"dice_minimum": {"heart": {"3d_fullres": 0.9, "2d": None}}, "sphericity": {"heart": {"2d": [0.5, 0.6]}}}
    assert judge_one("dice", 0.85, **settings)["outcome"] == "fail"
    assert judge_one("dice", 0.1, model="2d", **settings)["rule"] == ""
    assert judge_one("dice", 0.59, "esophagus", **settings)["outcome"] == "fail", "another organ keeps its default"
    assert judge_one("sphericity", 0.61, model="2d", **settings)["outcome"] == "fail"
    assert judge_one("sphericity", 0.61, **settings)["rule"] == ""


def test_a_small_cohort_is_judged_by_the_published_fences() -> None:
    found = judge_one("sphericity", 0.75)
    assert (found["lower"], found["upper"]) == pytest.approx((0.75325, 0.85125))
    assert (found["outcome"], found["limits_from"]) == ("fail", "reference NLST, n = 1,039")
    other = judge_one("sphericity", 0.75, model="2d")
    assert (other["outcome"], other["limits_from"]) == ("pass", "reference NSCLC-Radiomics, n = 414")
    assert judge_one("sphericity", 0.40, "esophagus", "2d")["limits_from"] == "reference NLST, n = 1,039"


def cohort(metric: str, n: int) -> pd.DataFrame:
    content = dict.fromkeys(DISTRIBUTIONS.columns, 0.0)
    content |= {"metric": metric, "subject": "heart", "model": "3d_fullres", "unit": "1", "n": n, "q1": 1.0, "q3": 2.0}
    return pd.DataFrame([content])


@pytest.mark.parametrize(
    ("setting", "n", "source", "upper"),
    [
        ("auto", 100, "cohort, n = 100", 3.5),
        ("auto", 99, "reference NLST, n = 1,039", 0.85125),
        ("reference", 5000, "reference NLST, n = 1,039", 0.85125),
        ("cohort", 12, "cohort, n = 12", 3.5),
        ([0.0, 9.0], 5000, "collection", 9.0),
    ],
)
def test_where_a_range_is_from(setting: object, n: int, source: str, upper: float) -> None:
    qc = QualityControl.model_validate({"sphericity": {"heart": setting}})
    [found] = judged(row("sphericity", 0.8), LimitsInForce(qc, cohort("sphericity", n)), None).to_dict("records")
    assert (found["limits_from"], found["upper"]) == (source, pytest.approx(upper))


def test_what_nothing_is_known_of_is_not_evaluated() -> None:
    found = judge_one("sphericity", 0.8, sphericity={"heart": "cohort"})
    assert (found["outcome"], found["rule"]) == ("not evaluated", "sphericity")
    assert "too few series, or no cohort_report" in found["explanation"]
    few = LimitsInForce(QualityControl.model_validate({"sphericity": {"heart": "cohort"}}), cohort("sphericity", 4))
    assert judged(row("sphericity", 0.8), few, None)["outcome"].tolist() == ["not evaluated"]
    found = judge_one("volume", 700.0, volume_ml={"heart": "reference"})
    assert (found["outcome"], found["explanation"]) == ("not evaluated", "nothing is published for it")


@pytest.mark.parametrize(("value", "outcome"), [(199.0, "fail"), (200.0, "pass"), (1600.0, "pass"), (1601.0, "fail")])
def test_volume_of_a_small_cohort(value: float, outcome: str) -> None:
    found = judge_one("volume", value)
    assert (found["outcome"], found["limits_from"]) == (outcome, "plausible")


@pytest.mark.parametrize(
    ("metric", "subject", "good", "bad"),
    [
        ("hd95_volumetric", "heart", 12.0, 12.1),
        ("hd95_volumetric", "esophagus", 17.1, 17.2),
        ("voxels", "trachea", 1, 0),
        ("lung_extent", "lung", 217.0, 216.9),
        ("lung_extent", "lung", 328.0, 328.1),
        ("expert_difference", "lung_start", 33.6, 33.7),
        ("expert_difference", "lung_end", 15.0, 15.1),
        ("slope_ratio", "slice scores", 0.72, 0.71),
        ("slope_ratio", "slice scores", 1.28, 1.29),
    ],
)
def test_default_limits(metric: str, subject: str, good: float, bad: float) -> None:
    assert judge_one(metric, good, subject)["outcome"] == "pass"
    assert judge_one(metric, bad, subject)["outcome"] == "fail"


def test_the_region_of_the_collection_must_be_the_largest() -> None:
    ratios = {
        "1.1": {"chest": 0.8, "abdomen": 0.4},
        "1.2": {"chest": 0.4, "abdomen": 0.7, "head": 0.1},
        "1.3": {"chest": 1.0},
    }
    rows = [row("region_ratio", value, region, SeriesInstanceUID=uid) for uid, of in ratios.items() for region, value in of.items()]  # fmt: skip  # noqa: E501
    qc = QualityControl()
    table = judged(pd.concat(rows), LimitsInForce(qc, DISTRIBUTIONS.empty()), qc.largest_region)
    chest = table[table["subject"] == "chest"].set_index("SeriesInstanceUID")
    assert chest["outcome"].to_dict() == {"1.1": "pass", "1.2": "fail", "1.3": "pass"}
    assert chest["limits_from"]["1.2"] == "the series' share of abdomen"
    assert set(table.loc[table["subject"] != "chest", "rule"]) == {""}
    assert set(judged(table, LimitsInForce(qc, DISTRIBUTIONS.empty()), None)["rule"]) == {""}


def test_a_row_without_value_keeps_why() -> None:
    missing = row("dice", None, outcome="not measurable", explanation="nothing segmented")
    [found] = judged(missing, LimitsInForce(QualityControl(), DISTRIBUTIONS.empty()), None).to_dict("records")
    assert (found["rule"], found["outcome"], found["explanation"]) == ("dice", "not measurable", "nothing segmented")


def test_judging_again_by_the_same_limits_changes_nothing() -> None:
    limits = LimitsInForce(QualityControl(), DISTRIBUTIONS.empty())
    once = judged(pd.concat([row("dice", 0.5), row("volume", 10.0), row("hausdorff", 10.0)]), limits, "chest")
    pd.testing.assert_frame_equal(judged(once, limits, "chest"), once)


def test_severity_is_a_share_of_what_is_allowed() -> None:
    rows = pd.DataFrame(
        {"value": [0.39, 0.9, 0.5, 4.0, 1.0, None, 30.0, 800.0],
         "lower": [0.78, 0.78, 1.0, 1.0, None, 1.0, None, 600.0],
         "upper": [None, None, 2.0, 2.0, None, None, 15.0, 600.0]}, index=[5, 6, 7, 8, 9, 10, 11, 12],
    )  # fmt: skip
    expected = {5: 0.5, 6: 0, 7: 0.5, 8: 2.0, 9: 0, 10: 0, 11: 1.0, 12: 1 / 3}
    assert severity(rows).to_dict() == pytest.approx(expected)


@pytest.mark.parametrize(
    ("outcomes", "expected"),
    [
        (["pass", "fail", "not measurable"], "fail"),
        (["pass", "not measurable", ""], "not measurable"),
        (["pass", "not evaluated"], "pass"),
        ([""], "not evaluated"),
    ],
)
def test_worst(outcomes: list[str], expected: str) -> None:
    assert worst(outcomes) == expected


def test_worst_refuses_other_words() -> None:
    with pytest.raises(ValueError, match="good"):
        worst(["good"])
