"""The diameter of a mesh: the hull loses no vertex that matters, however the work is divided."""

import numpy as np
import pytest
from scipy import ndimage
from scipy.spatial.distance import pdist

from ct_assets.shape_features import mesh


def vertices(mask: np.ndarray) -> np.ndarray:
    """Every midpoint between a voxel inside and one outside, in voxels of the padded mask."""
    padded = np.pad(mask, 1)
    found = []
    for axis in range(3):
        place = np.argwhere(np.diff(padded, axis=axis)).astype(float)
        place[:, axis] += 0.5
        found.append(place)
    return np.concatenate(found)


@pytest.mark.parametrize("seed", range(20))
def test_no_two_vertices_are_farther_apart(seed):
    random = np.random.default_rng(seed)
    noise = ndimage.gaussian_filter(random.standard_normal(random.integers(4, 14, 3)), random.uniform(0, 2))
    mask, spacing = noise > np.quantile(noise, 0.7), random.uniform(0.4, 4, 3)
    found = mesh.measure_mesh(mask, spacing).maximum_diameter
    assert found == pytest.approx(pdist(vertices(mask) * spacing).max(), rel=1e-14)


def test_the_work_may_be_divided(monkeypatch):
    mask = ndimage.gaussian_filter(np.random.default_rng(1).standard_normal((30, 20, 25)), 2) > 0
    spacing = np.array([2.5, 0.98, 0.98])
    whole = mesh.measure_mesh(mask, spacing)
    monkeypatch.setattr(mesh, "_PLANES_AT_A_TIME", 3)
    monkeypatch.setattr(mesh, "_ROWS_AT_A_TIME", 7)
    parts = mesh.measure_mesh(mask, spacing)
    assert parts.maximum_diameter == whole.maximum_diameter
    assert parts.surface_area == pytest.approx(whole.surface_area, rel=1e-13)
    assert parts.volume == pytest.approx(whole.volume, rel=1e-13)
