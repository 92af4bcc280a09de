"""The corrected rule on hand-made score curves."""

import numpy as np
import pytest

from ct_assets.bpr_json.landmark import AGAINST_GEOMETRY, BETWEEN_UNSCORED, NO_SCORES, NOT_IN_VOLUME, NOT_MONOTONE
from ct_assets.bpr_json.landmarks import SMOOTHING_MM, locate_landmarks

LOOKUP = {"lung_start": 40.0, "Th5": 60.0, "lung_end": 75.0, "teeth": 95.0, "pelvis_start": 0.0}
HEIGHTS = np.arange(50) * 5.0 - 100
STRAIGHT = 30 + (HEIGHTS + 100) * 0.2


def located(scores, heights=HEIGHTS, lookup=LOOKUP):
    return {landmark.name: landmark for landmark in locate_landmarks(np.asarray(scores, float), heights, lookup)}


def test_ascending_a_straight_curve_is_interpolated_exactly():
    found = located(STRAIGHT)
    assert found["lung_start"].height_mm == pytest.approx(-50)
    assert found["Th5"].height_mm == pytest.approx(50)
    assert found["lung_start"].slice_index == 10
    assert found["teeth"].reason == found["pelvis_start"].reason == NOT_IN_VOLUME
    assert found["teeth"].height_mm is None


def test_between_two_slices_the_nearest_is_referenced():
    scores = np.arange(50.0) * 2 + 0.5
    assert located(scores)["lung_start"].slice_index == 20
    assert located(scores)["lung_start"].height_mm == pytest.approx(HEIGHTS[19] + 0.75 * 5)


def test_slices_stored_from_head_to_feet_give_the_same_heights():
    stored, reversed_ = located(STRAIGHT), located(STRAIGHT[::-1], HEIGHTS[::-1])
    for name, landmark in stored.items():
        assert reversed_[name].height_mm == landmark.height_mm
        if landmark.slice_index is not None:
            assert reversed_[name].slice_index == 49 - landmark.slice_index


def test_descending_scores_against_the_geometry_locate_nothing():
    assert {landmark.reason for landmark in located(STRAIGHT[::-1]).values()} == {AGAINST_GEOMETRY}


def test_nan_tails_a_landmark_beyond_is_not_moved_to_the_last_slice():
    scores = STRAIGHT.copy()
    scores[:3] = scores[40:] = np.nan
    found = located(scores)
    assert found["Th5"].height_mm == pytest.approx(50)
    assert found["lung_start"].height_mm == pytest.approx(-50)
    assert found["lung_end"].reason == NOT_IN_VOLUME


def test_scan_of_the_abdomen_only():
    found = located(np.linspace(5, 38, 50))
    assert {name for name, landmark in found.items() if landmark.slice_index is not None} == set()
    assert {landmark.reason for landmark in found.values()} == {NOT_IN_VOLUME}


def test_scan_of_the_whole_trunk():
    found = located(np.linspace(-2, 96, 50))
    assert all(landmark.reason is None for landmark in found.values())
    heights = [landmark.height_mm for landmark in found.values()]
    assert heights == sorted(heights)


def test_a_landmark_on_the_first_and_last_slice_is_located():
    found = located(np.linspace(40, 75, 50))
    assert found["lung_start"].slice_index == 0
    assert found["lung_end"].slice_index == 49


def test_non_monotone_a_value_crossed_at_several_heights_is_not_located():
    """A bump at the fourth slice reaches the value that the curve has again 35 mm above."""
    scores = STRAIGHT.copy()
    scores[3] = 41.0
    found = located(scores)
    assert found["lung_start"].reason == NOT_MONOTONE
    assert found["lung_start"].slice_index is None
    assert found["Th5"].height_mm == pytest.approx(50)


def test_non_monotone_a_ripple_within_the_smoothing_is_one_crossing():
    scores = STRAIGHT.copy()
    scores[10], scores[11] = 40.6, 39.9
    found = located(scores)["lung_start"]
    assert found.reason is None
    assert abs(found.height_mm - -50) <= SMOOTHING_MM


def test_non_monotone_a_dip_hides_what_it_crosses_and_nothing_else():
    """The curve falls from 62 to 52 and rises again: 60 is crossed twice upwards, 80 mm apart."""
    scores = np.interp(np.arange(50), [0, 16, 26, 49], [30, 62, 52, 90])
    found = located(scores)
    assert found["Th5"].reason == NOT_MONOTONE
    assert found["lung_start"].height_mm == pytest.approx(HEIGHTS[5])
    assert found["lung_end"].reason is None


def test_non_monotone_within_the_smoothing_the_middle_of_the_rising_crossings_is_taken():
    found = located([40, 49, 51, 49, 51, 60], np.arange(6) * 2.5, {"Th5": 50.0})["Th5"]
    assert found.height_mm == pytest.approx(6.25)


def test_no_scores_locate_nothing():
    for scores in (np.full(50, np.nan), np.where(np.arange(50) == 7, 50.0, np.nan)):
        assert {landmark.reason for landmark in located(scores).values()} == {NO_SCORES}


def test_a_flat_curve_crosses_nothing():
    assert {landmark.reason for landmark in located(np.full(50, 55.0)).values()} == {NOT_IN_VOLUME}


def test_landmarks_come_by_rising_look_up_value():
    assert list(located(STRAIGHT)) == ["pelvis_start", "lung_start", "Th5", "lung_end", "teeth"]


def test_a_landmark_between_unscored_slices_is_not_located():
    scores = STRAIGHT.copy()
    scores[5:20] = np.nan
    found = located(scores)
    assert found["lung_start"].reason == BETWEEN_UNSCORED
    assert found["Th5"].height_mm == pytest.approx(50)


def test_a_landmark_exactly_on_a_slice_beside_a_gap_is_located():
    scores = STRAIGHT.copy()
    scores[11:20] = np.nan
    assert located(scores)["lung_start"].slice_index == 10


def test_a_curve_that_falls_at_its_end_keeps_the_crossing_on_its_rising_part():
    """The last slice has the look-up value again, 20 mm above the crossing."""
    scores = np.arange(50.0)
    scores[46:] = [44.0, 43.0, 42.0, 40.0]
    found = located(scores)["lung_start"]
    assert (found.slice_index, found.height_mm) == (40, pytest.approx(HEIGHTS[40]))
