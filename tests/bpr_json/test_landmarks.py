"""Landmarks on hand-made score curves."""

import numpy as np
import pytest

from ct_assets.bpr_json.landmarks import AGAINST_GEOMETRY, BETWEEN_UNSCORED, NO_SCORES, NOT_IN_VOLUME, locate_landmarks

LOOKUP = {"lung_start": 40.0, "Th5": 60.0, "lung_end": 75.0, "teeth": 95.0, "pelvis_start": 0.0}
HEIGHTS = np.arange(50) * 5.0 - 100


def _by_name(scores, heights=HEIGHTS):
    return {landmark.name: landmark for landmark in locate_landmarks(np.asarray(scores, float), heights, LOOKUP)}


def test_a_straight_curve_is_interpolated_exactly():
    found = _by_name(30 + (HEIGHTS + 100) * 0.2)
    assert found["lung_start"].height_mm == pytest.approx(-50)
    assert found["Th5"].height_mm == pytest.approx(50)
    assert found["lung_start"].slice_index == 10
    assert found["teeth"].reason == found["pelvis_start"].reason == NOT_IN_VOLUME
    assert found["teeth"].height_mm is None


def test_between_two_slices_the_nearest_is_referenced():
    scores = np.arange(50.0) * 2 + 0.5
    assert _by_name(scores)["lung_start"].slice_index == 20
    assert _by_name(scores)["lung_start"].height_mm == pytest.approx(HEIGHTS[19] + 0.75 * 5)


def test_slices_stored_from_head_to_feet_give_the_same_heights():
    scores = 30 + (HEIGHTS + 100) * 0.2
    stored, reversed_ = _by_name(scores), _by_name(scores[::-1], HEIGHTS[::-1])
    for name, landmark in stored.items():
        assert reversed_[name].height_mm == landmark.height_mm
        if landmark.slice_index is not None:
            assert reversed_[name].slice_index == 49 - landmark.slice_index


def test_scores_against_the_geometry_locate_nothing():
    found = _by_name((30 + (HEIGHTS + 100) * 0.2)[::-1])
    assert {landmark.reason for landmark in found.values()} == {AGAINST_GEOMETRY}


def test_a_landmark_beyond_the_valid_scores_is_not_moved_to_the_last_slice():
    scores = 30 + (HEIGHTS + 100) * 0.2
    scores[40:] = np.nan
    found = _by_name(scores)
    assert found["Th5"].height_mm == pytest.approx(50)
    assert found["lung_end"].reason == NOT_IN_VOLUME


def test_a_landmark_on_the_first_and_last_slice_is_located():
    found = _by_name(np.linspace(40, 75, 50))
    assert found["lung_start"].slice_index == 0
    assert found["lung_end"].slice_index == 49


def test_a_bump_does_not_take_the_landmark_with_it():
    scores = 30 + (HEIGHTS + 100) * 0.2
    scores[3] = 41.0
    assert abs(_by_name(scores)["lung_start"].height_mm - -50) <= 5


def test_no_scores_locate_nothing():
    assert {landmark.reason for landmark in _by_name(np.full(50, np.nan)).values()} == {NO_SCORES}


def test_landmarks_come_by_rising_look_up_value():
    assert list(_by_name(30 + HEIGHTS * 0.2)) == ["pelvis_start", "lung_start", "Th5", "lung_end", "teeth"]


def test_a_landmark_between_unscored_slices_is_not_located():
    scores = 30 + (HEIGHTS + 100) * 0.2
    scores[5:20] = np.nan
    found = _by_name(scores)
    assert found["lung_start"].reason == BETWEEN_UNSCORED
    assert found["Th5"].height_mm == pytest.approx(50)
