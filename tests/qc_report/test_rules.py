"""Rules at and around their limits."""

from collections.abc import Callable

import numpy as np
import pytest

from ct_assets.collection import QualityControl
from ct_assets.qc_report.finding import Outcome, Rule, worst
from ct_assets.qc_report.inputs import SeriesInputs
from ct_assets.qc_report.metrics import MaskComparison
from ct_assets.qc_report.rules import dice_rule, judge, lung_extent_rule, organ_missing_rule, sphericity_rule
from ct_assets.store.tables import SHAPE_FEATURES

QC = QualityControl()


def comparison(dice: float) -> MaskComparison:
    return MaskComparison(dice, 10.0, 2.0, 6.0)


def test_outcomes_are_the_words_of_the_table() -> None:
    assert [str(outcome) for outcome in Outcome] == ["pass", "not evaluated", "not measurable", "fail"]


@pytest.mark.parametrize(
    ("value", "expected"),
    [(0.9999, "fail"), (1.0, "pass"), (1.5, "pass"), (2.0, "pass"), (np.nextafter(2.0, 3), "fail")],
)
def test_limits_belong_to_the_range(value: float, expected: str) -> None:
    assert judge(value, 1.0, 2.0) == expected


@pytest.mark.parametrize(("value", "expected"), [(0.779, Outcome.FAIL), (0.78, Outcome.PASS), (1.0, Outcome.PASS)])
def test_dice(value: float, expected: Outcome) -> None:
    finding = dice_rule("2d", "heart", comparison(value), QC)
    assert (finding.rule, finding.outcome, finding.lower, finding.value) == (Rule.DICE, expected, 0.78, value)
    assert (finding.explanation == "0.779 is below 0.78") == (expected is Outcome.FAIL)


def test_dice_of_an_organ_without_minimum_has_no_outcome() -> None:
    finding = dice_rule("2d", "aorta", comparison(0.1), QC)
    assert (finding.rule, finding.outcome, finding.value) == (None, None, 0.1)


def test_dice_without_masks() -> None:
    missing = dice_rule("2d", "heart", None, QC)
    assert (missing.outcome, missing.value) == (Outcome.NOT_MEASURABLE, None)
    no_expert = dice_rule("2d", "heart", None, QC, reason="the series has no expert segmentation")
    assert no_expert.outcome is Outcome.NOT_EVALUATED


@pytest.mark.parametrize(
    ("value", "expected"),
    [(0.729, Outcome.FAIL), (0.73, Outcome.PASS), (0.87, Outcome.PASS), (0.871, Outcome.FAIL)],
)
def test_sphericity(make_inputs: Callable[..., SeriesInputs], value: float, expected: Outcome) -> None:
    features = make_inputs().features
    features["value"] = np.where(features["organ"] == "heart", value, features["value"])
    finding = sphericity_rule(features, "2d", "heart", QC)
    assert finding is not None
    assert finding.outcome is expected
    assert sphericity_rule(features, "expert", "heart", QC) is None


def test_sphericity_without_value(make_inputs: Callable[..., SeriesInputs]) -> None:
    features = make_inputs().features.assign(value=np.nan, reason="empty segmentation")
    finding = sphericity_rule(features, "2d", "heart", QC)
    assert finding is not None
    assert (finding.outcome, finding.explanation) == (Outcome.NOT_MEASURABLE, "empty segmentation")
    finding = sphericity_rule(SHAPE_FEATURES.empty(), "2d", "heart", QC)
    assert finding is not None
    assert finding.outcome is Outcome.NOT_EVALUATED


@pytest.mark.parametrize(
    ("extent", "expected"),
    [(216.9, Outcome.FAIL), (217.0, Outcome.PASS), (328.0, Outcome.PASS), (328.1, Outcome.FAIL)],
)
def test_lung_extent(make_inputs: Callable[..., SeriesInputs], extent: float, expected: Outcome) -> None:
    inputs = make_inputs()
    body_part = inputs.body_part.model_copy(update={"lung_extent_mm": extent})
    assert lung_extent_rule(body_part, inputs.landmarks, QC).outcome is expected


def test_lung_extent_of_a_scan_without_an_end(make_inputs: Callable[..., SeriesInputs]) -> None:
    inputs = make_inputs()
    landmarks = inputs.landmarks.copy()
    landmarks.loc[landmarks["landmark"] == "lung_end", ["located", "reason"]] = [False, "above the scan"]
    body_part = inputs.body_part.model_copy(update={"lung_extent_mm": None})
    finding = lung_extent_rule(body_part, landmarks, QC)
    assert (finding.outcome, finding.value) == (Outcome.NOT_MEASURABLE, None)
    assert finding.explanation == "lung_end not located: above the scan"


def test_organ_missing() -> None:
    labels = np.zeros((4, 4, 4), dtype=np.uint8)
    labels[0, 0, 0] = 1
    labels[1:3] = 4
    outcomes = {finding.subject: finding.outcome for finding in organ_missing_rule("2d", labels)}
    assert outcomes == {
        "esophagus": Outcome.PASS,
        "heart": Outcome.FAIL,
        "trachea": Outcome.FAIL,
        "aorta": Outcome.PASS,
    }


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
