"""Shapes whose features can be calculated, at three resolutions."""

import numpy as np
import pytest

from tests.shape_features.pyradiomics_oracle import we_say

RESOLUTIONS_MM = (2.0, 1.0, 0.5)


def ellipsoid(radii: tuple[float, float, float], step: float) -> np.ndarray:
    axes = [np.arange(-radius - 2 * step, radius + 2 * step, step) for radius in radii]
    x, y, z = np.meshgrid(*axes, indexing="ij", sparse=True)
    return (x / radii[0]) ** 2 + (y / radii[1]) ** 2 + (z / radii[2]) ** 2 <= 1


@pytest.mark.parametrize("step", RESOLUTIONS_MM)
def test_sphere(step):
    """A mesh through the midpoints of edges is some 8 % rougher than the sphere, whatever the voxel size."""
    radius = 20.0
    values = we_say(ellipsoid((radius,) * 3, step), (step,) * 3)
    assert values["MeshVolume"] == pytest.approx(4 / 3 * np.pi * radius**3, rel=0.03 * step)
    assert values["VoxelVolume"] == pytest.approx(4 / 3 * np.pi * radius**3, rel=0.03 * step)
    assert values["Maximum3DDiameter"] == pytest.approx(2 * radius, abs=step)
    assert values["MajorAxisLength"] == pytest.approx(4 * radius / np.sqrt(5), rel=0.01 * step)
    assert values["Elongation"] == pytest.approx(1, abs=1e-9)
    assert values["Flatness"] == pytest.approx(1, abs=1e-9)
    assert 1 < values["SurfaceArea"] / (4 * np.pi * radius**2) < 1.1
    assert 0.9 < values["Sphericity"] < 1


@pytest.mark.parametrize("step", RESOLUTIONS_MM)
def test_cube(step):
    """Its mesh is the cube of the voxel centres, grown by half a voxel, whose edges and corners are cut off."""
    n = round(24 / step)
    mask = np.zeros((n + 4,) * 3, dtype=bool)
    mask[2:-2, 2:-2, 2:-2] = True
    values = we_say(mask, (step,) * 3)
    side = n * step
    edge = side - step  # between the first and the last voxel centre
    bevelled = edge**3 + 3 * edge**2 * step + 3 * edge * step**2 / 2 + step**3 / 6
    assert values["VoxelVolume"] == pytest.approx(side**3)
    assert values["MeshVolume"] == pytest.approx(bevelled, rel=1e-12)
    area = 6 * edge**2 + 12 * edge * step / np.sqrt(2) + 8 * np.sqrt(3) / 8 * step**2
    assert values["SurfaceArea"] == pytest.approx(area, rel=1e-12)
    assert values["Maximum3DDiameter"] == pytest.approx(np.sqrt(side**2 + 2 * edge**2), rel=1e-12)
    assert values["MajorAxisLength"] == pytest.approx(4 * step * np.sqrt((n**2 - 1) / 12), rel=1e-12)
    assert values["SurfaceVolumeRatio"] == pytest.approx(area / bevelled, rel=1e-12)
    assert values["Sphericity"] == pytest.approx(np.cbrt(36 * np.pi * bevelled**2) / area, rel=1e-12)
    assert values["SphericalDisproportion"] == pytest.approx(1 / values["Sphericity"], rel=1e-12)
    assert values["Compactness2"] == pytest.approx(values["Sphericity"] ** 3, rel=1e-12)
    assert values["Compactness1"] == pytest.approx(np.sqrt(values["Compactness2"]) / (6 * np.pi), rel=1e-12)


@pytest.mark.parametrize("step", RESOLUTIONS_MM)
def test_ellipsoid(step):
    radii = (12.0, 20.0, 32.0)
    values = we_say(ellipsoid(radii, step), (step,) * 3)
    assert values["MeshVolume"] == pytest.approx(4 / 3 * np.pi * np.prod(radii), rel=0.03 * step)
    assert values["Maximum3DDiameter"] == pytest.approx(64, abs=step)
    for name, radius in zip(("LeastAxisLength", "MinorAxisLength", "MajorAxisLength"), radii, strict=True):
        assert values[name] == pytest.approx(4 * radius / np.sqrt(5), rel=0.02 * step), name
    assert values["Elongation"] == pytest.approx(20 / 32, rel=0.02 * step)
    assert values["Flatness"] == pytest.approx(12 / 32, rel=0.02 * step)


@pytest.mark.parametrize("step", RESOLUTIONS_MM)
def test_two_separate_cubes(step):
    """Area and volume are twice those of one; the diameter spans both."""
    n, distance = round(10 / step), 30.0
    one = np.zeros((n + 2, n + 2, n + 2 + round(distance / step)), dtype=bool)
    one[1:-1, 1:-1, 1 : n + 1] = True
    two = one | np.roll(one, round(distance / step), axis=2)
    alone, both = we_say(one, (step,) * 3), we_say(two, (step,) * 3)
    for name in ("MeshVolume", "VoxelVolume", "SurfaceArea"):
        assert both[name] == pytest.approx(2 * alone[name], rel=1e-12), name
    side, edge = n * step, (n - 1) * step
    diameter = max(np.sqrt((distance + side) ** 2 + 2 * edge**2), np.sqrt((distance + edge) ** 2 + side**2 + edge**2))
    assert both["Maximum3DDiameter"] == pytest.approx(diameter, rel=1e-12)
    variance = step**2 * (n**2 - 1) / 12
    assert both["MajorAxisLength"] == pytest.approx(4 * np.sqrt(variance + (distance / 2) ** 2), rel=1e-12)
    assert both["LeastAxisLength"] == pytest.approx(4 * np.sqrt(variance), rel=1e-12)


def test_anisotropic_voxels_count_in_mm():
    mask = np.zeros((20, 20, 20), dtype=bool)
    mask[4:14, 4:9, 4:8] = True
    values = we_say(mask, (1.0, 2.0, 2.5))
    assert values["VoxelVolume"] == pytest.approx(10 * 10 * 10)
    assert values["MajorAxisLength"] == pytest.approx(4 * np.sqrt(99 / 12))
    assert values["LeastAxisLength"] == pytest.approx(4 * 2.5 * np.sqrt(15 / 12))
