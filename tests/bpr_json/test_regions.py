"""Regions are half-open intervals of the score with the published overlaps, by bpreg's own code, on our slices."""

from typing import Any

import numpy as np
import pytest

from ct_assets.bpr_json.bpreg_import import import_inference_model
from ct_assets.bpr_json.curve import score_curve
from ct_assets.demo.bpreg_format import look_up_tables

_, LOOKUP = look_up_tables({})
MEAN = {name: entry["mean"] for name, entry in LOOKUP.items()}
UPWARD = np.diag([-2.0, -2.0, 5.0, 1.0])

BOUNDS = {
    "pelvis": ("pelvis_start", "pelvis_end"),
    "abdomen": ("L5", "Th8"),
    "chest": ("Th12", "Th1"),
    "shoulder-neck": ("Th3", "C2"),
}


def regions(scores: list[float], affine: np.ndarray = UPWARD) -> tuple[tuple[str, ...], ...]:
    bpreg = import_inference_model()
    found = bpreg.BodyPartExaminedDict(LOOKUP).get_examined_body_part(scores)
    result: dict[str, Any] = {"cleaned slice scores": scores, "body part examined": found, "look-up table": LOOKUP}
    curve = score_curve(result, len(scores), affine)
    assert curve is not None
    return curve.regions


@pytest.mark.parametrize("region", BOUNDS)
def test_the_lower_bound_belongs_to_it_and_the_upper_does_not(region):
    lower, upper = (MEAN[name] for name in BOUNDS[region])
    inside = [region in found for found in regions([lower - 1e-6, lower, upper - 1e-6, upper])]
    assert inside == [False, True, True, False]


def test_legs_and_head_have_one_bound():
    scores = [-1e6, MEAN["pelvis_start"] - 1e-6, MEAN["pelvis_start"], MEAN["C5"], MEAN["C5"] + 1e-6, 1e6]
    found = regions(scores)
    assert ["legs" in names for names in found] == [True, True, False, False, False, False]
    assert ["head" in names for names in found] == [False, False, False, False, True, True]


def test_overlaps_are_the_published_ones():
    both = regions([(MEAN["Th12"] + MEAN["Th8"]) / 2, (MEAN["Th3"] + MEAN["Th1"]) / 2, (MEAN["C5"] + MEAN["C2"]) / 2])
    assert both == (("abdomen", "chest"), ("chest", "shoulder-neck"), ("shoulder-neck", "head"))


def test_slices_without_a_score_have_no_region():
    assert regions([float("nan"), MEAN["Th5"], float("nan")]) == ((), ("chest",), ())


def test_regions_follow_the_slices_of_a_volume_stored_from_the_head():
    scores = list(np.linspace(MEAN["L3"], MEAN["C3"], 30))
    reversed_ = UPWARD @ np.array([[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, -1, 29], [0, 0, 0, 1.0]])
    assert regions(scores, reversed_) == regions(scores)[::-1]
