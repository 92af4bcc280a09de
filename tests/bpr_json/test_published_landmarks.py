"""The published rule on hand-made score curves, edge cases and defects included."""

import numpy as np
import pytest

from ct_assets.bpr_json.landmark import PUBLISHED_END, PUBLISHED_LOST
from ct_assets.bpr_json.published_landmarks import published_landmarks

SLICES = 50
LOOKUP = {"pelvis_start": 0.0, "lung_start": 40.0, "Th5": 60.0, "lung_end": 75.0, "teeth": 95.0}
STRAIGHT = 30.5 + np.arange(SLICES, dtype=float)
"""30.5 to 79.5: 40 lies between slices 9 and 10."""
HEIGHTS = np.arange(SLICES) * 5.0


def located(scores, valid=1.0, instances=None):
    instances = np.arange(SLICES) if instances is None else instances
    found = published_landmarks(np.asarray(scores, float), valid, LOOKUP, instances, HEIGHTS)
    return {landmark.name: landmark for landmark in found}


def indices(scores, valid=1.0):
    return {name: landmark.slice_index for name, landmark in located(scores, valid).items()}


def test_ascending_the_last_slice_below_is_taken_without_interpolation():
    found = located(STRAIGHT)
    assert found["lung_start"].slice_index == 9
    assert found["lung_start"].height_mm == 45.0
    assert (found["Th5"].slice_index, found["lung_end"].slice_index) == (29, 44)
    assert found["pelvis_start"].reason == PUBLISHED_END  # no score below: index 0
    assert found["teeth"].reason == PUBLISHED_END  # all below: the last index


def test_descending_every_landmark_within_lands_on_the_last_slice_below():
    """The direction is not looked at: the largest index below is the last slice, which is dropped."""
    assert set(indices(STRAIGHT[::-1]).values()) == {None}
    assert {landmark.reason for landmark in located(STRAIGHT[::-1]).values()} == {PUBLISHED_END}


@pytest.mark.parametrize("invalid", [0.0, np.nan])
def test_implausible_spacing_flips_one_off(invalid):
    found = located(STRAIGHT, invalid)
    assert found["lung_start"].slice_index == SLICES - 9  # the mirror of 9 would be 40
    assert found["pelvis_start"].reason == PUBLISHED_LOST  # 50 - 0: there is no such slice
    assert found["teeth"].slice_index == 1  # 50 - 49: kept, far from its place


def test_nan_tail_superior_landmarks_pile_up_on_the_last_valid_slice():
    scores = STRAIGHT.copy()
    scores[25:] = np.nan
    assert indices(scores) == {"pelvis_start": None, "lung_start": 9, "Th5": 24, "lung_end": 24, "teeth": 24}


def test_nan_head_gives_index_zero():
    scores = STRAIGHT.copy()
    scores[:12] = np.nan
    assert indices(scores)["lung_start"] is None
    assert indices(scores)["Th5"] == 29


def test_non_monotone_the_last_dip_below_wins():
    scores = STRAIGHT.copy()
    scores[40] = 39.0
    assert indices(scores)["lung_start"] == 40


def test_scan_of_the_abdomen_only_locates_nothing():
    scores = np.linspace(5, 38, SLICES)
    assert set(indices(scores).values()) == {None}


def test_scan_of_the_whole_trunk_locates_all_but_what_lies_on_an_end():
    scores = np.linspace(-2, 96, SLICES)
    assert indices(scores) == {"pelvis_start": None, "lung_start": 20, "Th5": 30, "lung_end": 38, "teeth": 48}


def test_index_n_is_the_nth_instance_along_the_normal():
    """Where the normal points to the feet, the published rule counts from the other end."""
    assert located(STRAIGHT, instances=np.arange(SLICES)[::-1])["lung_start"].slice_index == SLICES - 1 - 9
