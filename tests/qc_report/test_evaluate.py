"""All metrics of a small synthetic series."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ct_assets.collection import Collection
from ct_assets.qc_report.evaluate import evaluate
from ct_assets.qc_report.finding import rule_outcomes
from ct_assets.qc_report.inputs import SeriesInputs
from ct_assets.qc_report.rule import Outcome, Rule
from ct_assets.store.tables import QC, REGIONS

ORDERS = [(False, False, False), (True, False, False), (False, True, False), (False, False, True), (True, True, True)]
MakeInputs = Callable[..., SeriesInputs]


def value(qc: pd.DataFrame, metric: str, subject: str, model: str) -> float:
    rows = qc[(qc["metric"] == metric) & (qc["subject"] == subject) & (qc["model"] == model)]
    assert len(rows) == 1
    return float(rows["value"].iloc[0])


@pytest.mark.parametrize("reverse", ORDERS)
def test_good_series_passes_in_every_voxel_order(make_inputs: MakeInputs, reverse: tuple[bool, bool, bool]) -> None:
    qc = evaluate(make_inputs(reverse))
    assert set(rule_outcomes(qc).values()) == {Outcome.PASS}
    assert list(rule_outcomes(qc)) == list(Rule)
    assert value(qc, "dice", "heart", "2d") == 1.0
    assert value(qc, "expert_difference", "lung_end", "demo") == pytest.approx(0.0, abs=1e-9)
    assert value(qc, "expert_difference", "lung_start", "demo") == pytest.approx(5.5)


def test_table_is_written_and_read(make_inputs: MakeInputs, tmp_path: Path) -> None:
    qc = evaluate(make_inputs())
    QC.write(qc, tmp_path / "qc.parquet")
    read = QC.read(tmp_path / "qc.parquet")
    assert len(read) == len(qc)
    assert set(read["outcome"]) == {"", "pass"}
    assert not read.duplicated(["rule", "model", "subject", "metric"]).any()


def test_metrics_without_rule(make_inputs: MakeInputs) -> None:
    inputs = make_inputs()
    qc = evaluate(inputs)
    heart = np.count_nonzero(inputs.label_maps["2d"] == 2)
    assert value(qc, "volume", "heart", "2d") == pytest.approx(heart * 7.0 * 8.0 * 5.5 / 1000)
    assert value(qc, "volume", "heart", "expert") == pytest.approx(heart * 7.0 * 8.0 * 5.5 / 1000)
    assert value(qc, "region_ratio", "chest", "demo") == pytest.approx(48 / 56)
    unjudged = qc[qc["metric"].isin(["hausdorff", "hd95_surface"]) | (qc["model"] == "expert")]
    assert set(unjudged["outcome"]) == {""}
    assert set(unjudged["rule"]) == {""}


def test_shifted_expert_fails_against_the_expert_alone(make_inputs: MakeInputs) -> None:
    inputs = make_inputs()
    assert inputs.expert is not None
    shifted = {name: np.roll(mask, (4, 3), axis=(0, 1)) for name, mask in inputs.expert.items()}
    outcomes = rule_outcomes(evaluate(make_inputs(expert=shifted)))
    assert (outcomes.pop(Rule.DICE), outcomes.pop(Rule.HAUSDORFF)) == (Outcome.FAIL, Outcome.FAIL)
    assert set(outcomes.values()) == {Outcome.PASS}


def test_missing_organ(make_inputs: MakeInputs) -> None:
    labels = make_inputs().label_maps["2d"].copy()
    labels[labels == 2] = 0
    qc = evaluate(make_inputs(label_maps={"3d_fullres": make_inputs().label_maps["3d_fullres"], "2d": labels}))
    rows = qc[(qc["model"] == "2d") & (qc["subject"] == "heart")].set_index("metric")
    assert rows.loc["voxels", "outcome"] == "fail"
    assert rows.loc["dice", "outcome"] == "not measurable"
    assert np.isnan(rows.loc["dice", "value"])
    assert "hausdorff" not in rows.index


def test_series_without_expert_is_not_evaluated(make_inputs: MakeInputs) -> None:
    qc = evaluate(make_inputs(expert=None))
    assert rule_outcomes(qc)[Rule.DICE] is Outcome.NOT_EVALUATED
    assert rule_outcomes(qc)[Rule.LUNG_ENDS] is Outcome.NOT_EVALUATED


def test_expert_who_left_out_an_organ(make_inputs: MakeInputs) -> None:
    expert = make_inputs().expert
    assert expert is not None
    qc = evaluate(make_inputs(expert={"esophagus": expert["esophagus"]}))
    rows = qc[(qc["metric"] == "dice") & (qc["model"] == "2d")].set_index("subject")
    assert rows.loc["esophagus", "outcome"] == "pass"
    assert rows.loc["heart", "outcome"] == "not evaluated"


def test_collection_without_experts_has_no_dice(make_inputs: MakeInputs) -> None:
    collection = Collection.model_validate({**make_inputs().collection.model_dump(), "expert": None})
    qc = evaluate(make_inputs(collection=collection, expert=None))
    assert Rule.DICE not in rule_outcomes(qc)


def test_lung_landmark_that_is_not_located(make_inputs: MakeInputs) -> None:
    landmarks = make_inputs().landmarks.copy()
    landmarks.loc[landmarks["landmark"] == "lung_end", ["located", "position_mm", "reason"]] = [False, None, "cut"]
    body_part = make_inputs().body_part.model_copy(update={"lung_extent_mm": None})
    qc = evaluate(make_inputs(landmarks=landmarks, body_part=body_part, regions=REGIONS.empty()))
    assert rule_outcomes(qc)[Rule.LUNG_EXTENT] is Outcome.NOT_MEASURABLE
    assert np.isnan(value(qc, "expert_difference", "lung_end", "demo"))
