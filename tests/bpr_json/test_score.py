"""What a series gets: files, tables, record, in every geometry and for volumes that cannot be scored."""

import json
import math
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pandas as pd
import pytest

from ct_assets.bpr_json.landmark import AGAINST_GEOMETRY, NO_SCORES, NOT_AXIAL, PUBLISHED_END, UNKNOWN_TO_MODEL
from ct_assets.bpr_json.plausibility import outcomes
from ct_assets.bpr_json.prediction import Prediction
from ct_assets.bpr_json.record import BodyPartRecord, read_body_part_record
from ct_assets.bpr_json.score import score
from ct_assets.ct_nifti.record import CtRecord, SliceRecord
from ct_assets.ct_nifti.volume import load_scan
from ct_assets.store.paths import SeriesFolder
from ct_assets.store.tables import LANDMARKS, REGIONS

UID = "1.2.826.0.1.3680043.8.498.7"
KNOWN = {"name": "demo", "demonstration": True}
FILES = ("bpr.json", "bpr_record.json", "landmarks.parquet", "regions.parquet")


def series(folder: Path, volume: np.ndarray, affine: np.ndarray) -> SeriesFolder:
    """A series whose ct.json fits a volume; the normal of its slices is that of DICOM, cross(row, column)."""
    made = SeriesFolder(folder / UID)
    made.path.mkdir(parents=True)
    normal = np.cross(affine[:3, 0], affine[:3, 1])
    normal /= np.linalg.norm(normal)
    if normal[2] < 0:
        normal = -normal
    positions = (affine[:3, 3] + np.arange(volume.shape[2])[:, None] * affine[:3, 2]) @ normal
    CtRecord(
        patient_id="P", study_instance_uid="1.2", series_instance_uid=UID, frame_of_reference_uid=None, fit=True,
        shape=volume.shape, affine=tuple(tuple(row) for row in affine.tolist()),
        spacing_mm=tuple(np.linalg.norm(affine[:3, :3], axis=0).tolist()),
        slices=tuple(
            SliceRecord(sop_instance_uid=f"{UID}.{k}", file="x", position_mm=p) for k, p in enumerate(positions)
        ),
        source_digest="ab" * 32, converter="test",
    ).write(made.ct_record)  # fmt: skip
    return made


def answer(result: dict[str, Any] | None, reason: str | None = None):
    return lambda _volume, _affine: Prediction(result, reason, "c" * 64, "bpreg 1.1.0, torch 2.15")


def made_by(scores: list[float], **changes: Any) -> dict[str, Any]:
    """bpreg's JSON for scores, with few landmarks; the chest is 40 to 80."""
    return {
        "cleaned slice scores": scores,
        "z": [5.0 * k for k in range(len(scores))],
        "unprocessed slice scores": scores,
        "body part examined": {"chest": [float(k) for k, value in enumerate(scores) if 40 <= value < 80]},
        "body part examined tag": "CHEST",
        "look-up table": {
            "lung_start": {"mean": 42.0, "std": 1.0},
            "Th5": {"mean": 60.0, "std": 1.0},
            "lung_end": {"mean": 77.5, "std": 1.0},
            "of another model": {"mean": 50.0, "std": 1.0},
        },
        "reverse z-ordering": 0.0,
        "valid z-spacing": 1.0,
        "expected slope": 0.2,
        "observed slope": 0.2,
        "slope ratio": 1.0,
        "expected z-spacing": 5.0,
        "z-spacing": 5.0,
        "settings": {},
        **changes,
    }


SCORES = list(np.arange(38.0, 88.0))
UPWARD = np.array([[-2.0, 0, 0, 10], [0, -2.0, 0, 20], [0, 0, 5.0, -100], [0, 0, 0, 1]])
DOWNWARD = UPWARD @ np.array([[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, -1, 49], [0, 0, 0, 1.0]])
VOLUME = np.zeros((20, 20, 50), np.int16)


def scored(
    folder: Path, predict, affine: np.ndarray = UPWARD, volume: np.ndarray = VOLUME, rule="corrected"
) -> tuple[SeriesFolder, BodyPartRecord, pd.DataFrame, pd.DataFrame]:
    made = series(folder, volume, affine)
    record = score(made, volume, affine, KNOWN, predict, rule)
    assert all((made.path / name).is_file() for name in FILES)
    assert read_body_part_record(made.bpr_record) == record
    return made, record, LANDMARKS.read(made.landmarks).set_index("landmark"), REGIONS.read(made.regions)


def test_tables_say_where_and_on_which_instance(tmp_path):
    _, record, landmarks, regions = scored(tmp_path, answer(made_by(SCORES)))
    assert len(landmarks) == 35
    assert landmarks.loc["Th5", ["located", "position_mm", "slice_index"]].tolist() == [True, 10.0, 22]
    assert landmarks.loc["Th5", "SOPInstanceUID"] == f"{UID}.22"
    assert landmarks.loc["lung_end", "position_mm"] == pytest.approx(97.5)
    assert record.lung_extent_mm == pytest.approx(177.5)
    assert landmarks.loc["L3", "reason"] == UNKNOWN_TO_MODEL
    assert landmarks["code"].loc["Th5"] == "56401006"
    assert regions.to_numpy().tolist() == [[UID, "chest", "816094009", 2, 41, 40, 1.0]]
    assert record.slice_regions[1:3] == ((), ("chest",))
    assert set(outcomes(record).values()) == {"pass"}
    assert (record.body_part_examined, record.slope_ratio) == ("CHEST", 1.0)


def test_slices_stored_from_the_head_down_give_the_same_places(tmp_path):
    _, up, of_up, _ = scored(tmp_path / "up", answer(made_by(SCORES)))
    _, down, of_down, _ = scored(tmp_path / "down", answer(made_by(SCORES)), DOWNWARD)
    located = of_up.index[of_up["located"]]
    np.testing.assert_allclose(of_down.loc[located, "position_mm"], of_up.loc[located, "position_mm"])
    assert of_down.loc[located, "slice_index"].tolist() == (49 - of_up.loc[located, "slice_index"]).tolist()
    assert down.slice_scores == up.slice_scores[::-1]
    assert down.slice_regions == up.slice_regions[::-1]
    assert down.lung_extent_mm == up.lung_extent_mm


def test_scores_against_the_geometry_locate_nothing_and_fail_a_check(tmp_path):
    result = made_by(SCORES[::-1], **{"reverse z-ordering": 1.0, "expected z-spacing": -5.0})
    _, record, landmarks, regions = scored(tmp_path, answer(result))
    assert not landmarks["located"].any()
    assert landmarks.loc["Th5", "reason"] == AGAINST_GEOMETRY
    assert outcomes(record) == {"slices_scored": "pass", "valid_z_spacing": "pass", "z_ordering": "fail"}
    assert record.lung_extent_mm is None
    assert len(regions) == 1


def test_implausible_spacing_is_kept_and_fails_a_check_and_flips_nothing(tmp_path):
    _, _, plausible, _ = scored(tmp_path / "a", answer(made_by(SCORES)))
    _, record, landmarks, _ = scored(
        tmp_path / "b", answer(made_by(SCORES, **{"valid z-spacing": 0.0, "slope ratio": 2.1}))
    )
    pd.testing.assert_frame_equal(landmarks, plausible)
    assert outcomes(record) == {"slices_scored": "pass", "valid_z_spacing": "fail", "z_ordering": "pass"}
    assert record.slope_ratio == 2.1


def test_published_rule_flips_what_has_implausible_spacing(tmp_path):
    _, record, landmarks, _ = scored(tmp_path / "a", answer(made_by(SCORES)), rule="published")
    assert record.landmark_rule == "published"
    assert landmarks.loc["Th5", ["position_mm", "slice_index"]].tolist() == [5.0, 21]
    _, _, flipped, _ = scored(tmp_path / "b", answer(made_by(SCORES, **{"valid z-spacing": 0.0})), rule="published")
    assert flipped.loc["Th5", "slice_index"] == 50 - 21
    assert flipped.loc["Th5", "SOPInstanceUID"] == f"{UID}.29"
    short = made_by([*SCORES[:39], *[math.nan] * 11])
    _, _, piled, _ = scored(tmp_path / "c", answer(short), rule="published")
    assert piled.loc["lung_end", "slice_index"] == 38
    _, _, dropped, _ = scored(tmp_path / "d", answer(made_by([30.0] * 50)), rule="published")
    assert dropped.loc["Th5", "reason"] == PUBLISHED_END


@pytest.mark.parametrize("rule", ["corrected", "published"])
def test_a_volume_that_cannot_be_scored_has_all_files_and_its_reason(tmp_path, ours, rule):
    volume = np.zeros((40, 40, 1), np.int16)
    made, record, landmarks, regions = scored(tmp_path, ours("demo"), UPWARD, volume, rule)
    assert "one slice" in record.reason
    assert set(landmarks["reason"]) == {record.reason}
    assert len(landmarks) == 35
    assert regions.empty
    assert outcomes(record) == {
        "slices_scored": "fail",
        "valid_z_spacing": "not evaluated",
        "z_ordering": "not evaluated",
    }
    content = json.loads(made.bpr_json.read_text())
    assert content["reason"] == record.reason
    assert set(made_by(SCORES)) <= set(content)


def test_scores_that_are_all_cut_off_are_no_scores(tmp_path):
    nothing = made_by([math.nan] * 50, **{"valid z-spacing": math.nan, "slope ratio": math.nan})
    _, record, landmarks, _ = scored(tmp_path, answer(nothing))
    assert record.reason == NO_SCORES
    assert set(landmarks["reason"]) == {NO_SCORES, UNKNOWN_TO_MODEL}
    assert list(outcomes(record).values()) == ["fail", "not evaluated", "not evaluated"]


def test_a_sagittal_series_has_scores_but_no_landmarks(tmp_path, ours, scans):
    """Its scores are of axial planes, which are no instances of the series."""
    volume, affine = load_scan(scans["chest_ct_64"])
    turn = np.array([[0, 0, 1, 0], [1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 0, 1.0]])
    sagittal = volume.transpose(1, 2, 0)
    made, record, landmarks, regions = scored(tmp_path, ours("demo"), affine @ turn, sagittal)
    assert len(json.loads(made.bpr_json.read_text())["cleaned slice scores"]) == volume.shape[2]
    assert record.reason == NOT_AXIAL
    assert set(landmarks["reason"]) == {NOT_AXIAL}
    assert regions.empty
    assert record.slice_scores == (None,) * volume.shape[0]
    assert list(outcomes(record).values()) == ["fail", "not evaluated", "not evaluated"]


def test_our_json_is_strict_and_bpreg_helpers_read_its_own(tmp_path, ours, scans):
    from bpreg.utils.json_parser import parse_json4kaapana

    volume, affine = load_scan(scans["ibsi_lung_ct"])
    made, *_ = scored(tmp_path, ours("demo"), affine, volume)

    def refuse(literal: str) -> None:
        message = f"{literal} is not strict JSON"
        raise AssertionError(message)

    json.loads(made.bpr_record.read_text(), parse_constant=refuse)
    content = json.loads(made.bpr_json.read_text())
    assert content["schema_version"] == 1
    assert set(made_by(SCORES)) | {"schema_version"} == set(content)
    kaapana = parse_json4kaapana(content)
    assert kaapana["predicted_bodypart_string"] == content["body part examined tag"]
    assert "cleaned slice scores" in kaapana["prediction_parameters_string"]


def test_lung_extent_of_our_code_is_that_of_the_table(tmp_path, ours, scans):
    image = nib.load(scans["demo 1"])
    _, record, landmarks, _ = scored(tmp_path, ours("demo"), image.affine, np.asarray(image.dataobj))
    ends = landmarks.loc[["lung_start", "lung_end"], "position_mm"]
    assert record.lung_extent_mm == pytest.approx(ends["lung_end"] - ends["lung_start"])
