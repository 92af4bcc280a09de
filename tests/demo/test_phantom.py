"""The phantom: the same for the same seed, human volumes, true landmarks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ct_assets.demo.anatomy import sample_patient
from ct_assets.demo.canvas import Canvas, Grid
from ct_assets.demo.phantom import ORGANS, Phantom, make_phantom

HUMAN_ML = {"esophagus": (25, 110), "heart": (350, 1000), "trachea": (15, 75), "aorta": (120, 420)}
LUNGS_ML = (2500, 7500)
SEEDS = range(40, 46)


@pytest.fixture(scope="module")
def phantoms() -> list[Phantom]:
    return [make_phantom(seed) for seed in SEEDS]


def millilitres(mask: np.ndarray, phantom: Phantom) -> float:
    return float(mask.sum() * np.prod(phantom.spacing) / 1000)


def test_same_seed_same_arrays(phantom):
    again = make_phantom(phantom.patient.seed)
    assert again.grid == phantom.grid
    assert again.landmarks == phantom.landmarks
    for name in ("hu", "labels", "lungs"):
        assert np.array_equal(getattr(again, name), getattr(phantom, name))


def test_other_seed_other_patient(phantom):
    other = sample_patient(phantom.patient.seed + 1)
    assert other.size != phantom.patient.size
    assert other.heart_shift != phantom.patient.heart_shift


@pytest.mark.parametrize("organ", ORGANS)
def test_organ_volumes_are_human(phantoms, organ):
    low, high = HUMAN_ML[organ]
    volumes = [millilitres(p.labels == ORGANS[organ], p) for p in phantoms]
    assert all(low <= volume <= high for volume in volumes), volumes


def test_lungs_are_human_and_on_their_sides(phantoms):
    for p in phantoms:
        assert LUNGS_ML[0] <= millilitres(p.lungs > 0, p) <= LUNGS_ML[1]
        columns = [float(np.argwhere(p.lungs == side)[:, 2].mean()) for side in (1, 2)]
        assert columns[0] < columns[1], "the right lung lies at the smaller x"
        assert -900 < float(np.median(p.hu[p.lungs > 0])) < -780


def test_ct_numbers_of_the_tissues(phantoms):
    for p in phantoms:
        assert p.hu.min() >= -1024
        assert p.hu.max() <= 3071
        assert float(np.median(p.hu[p.labels == ORGANS["trachea"]])) < -900
        assert 60 < float(np.median(p.hu[p.labels == ORGANS["heart"]])) < 180
        assert abs(float(np.median(p.hu[:, :4])) + 1000) < 10, "air in front of the body"


def test_lungs_end_where_the_landmarks_say(phantoms):
    for p in phantoms:
        inside = p.grid.z[p.lungs.any(axis=(1, 2))]
        assert 0 <= inside[0] - p.landmarks["lung_start"] <= p.spacing[0] + 1
        assert 0 <= p.landmarks["lung_end"] - inside[-1] <= p.spacing[0] + 1
        assert p.grid.z[0] < p.landmarks["lung_start"] - 25
        assert p.grid.z[-1] > p.landmarks["lung_end"] + 15


def test_landmarks_are_in_anatomical_order(phantom):
    order = list(phantom.landmarks)
    vertebrae = [name for name in order if name[0] == "T" or name in {"C7", "C6", "C5", "L1", "L2", "L3"}]
    assert vertebrae == ["L3", "L2", "L1", *(f"Th{i}" for i in range(12, 0, -1)), "C7", "C6", "C5"]


def test_affine_gives_voxel_centres():
    grid = Grid((5, 7, 9), (4.0, 2.0, 3.0), (-10.0, -20.0, 30.0))
    assert grid.affine @ (2, 3, 4, 1) == pytest.approx([2.0, -14.0, 38.0, 1.0])


def test_sphere_has_its_volume_also_in_a_turned_patient():
    patient = replace(sample_patient(1), rotation=17.0, lean=(0.0, 0.0), shift=(5.0, -3.0), table_z=2.0)
    canvas = Canvas(Grid((80, 80, 80), (1.0, 1.0, 1.0), (-39.5, -39.5, -39.5)), patient)
    canvas.ellipsoid((2.0, 1.0, 0.0), (20.0, 20.0, 20.0), 100.0, label=2)
    assert int((canvas.labels == 2).sum()) == pytest.approx(4 / 3 * np.pi * 20**3, rel=0.01)


def test_tube_has_the_volume_of_a_capsule():
    patient = replace(sample_patient(1), rotation=-12.0, lean=(0.0, 0.0), shift=(0.0, 0.0), table_z=0.0)
    canvas = Canvas(Grid((80, 80, 80), (1.0, 1.0, 1.0), (-39.5, -39.5, -39.5)), patient)
    canvas.tube(np.array([(-15.0, 5.0, -10.0), (15.0, 5.0, 10.0)]), 8.0, 100.0, label=4)
    truth = np.pi * 64 * np.hypot(30, 20) + 4 / 3 * np.pi * 8**3
    assert int((canvas.labels == 4).sum()) == pytest.approx(truth, rel=0.02)
