"""Planes lie as a radiologist reads them, by the affine alone."""

import numpy as np
import pytest

from ct_assets.picture.planes import Orientation, Plane, plane_image

PERMUTATIONS = [(0, 1, 2), (1, 0, 2), (2, 1, 0), (1, 2, 0)]
FLIPS = [(1, 1, 1), (-1, 1, 1), (1, -1, 1), (1, 1, -1), (-1, -1, 1), (-1, -1, -1)]


@pytest.mark.parametrize("permutation", PERMUTATIONS)
@pytest.mark.parametrize("flips", FLIPS)
def test_marker_appears_where_a_radiologist_looks_for_it(
    permutation: tuple[int, int, int], flips: tuple[int, int, int]
) -> None:
    """A voxel at the patient's right, front and head is at the upper left of each plane, by the affine alone."""
    shape, steps = (6, 7, 8), (1.5, 2.0, 3.0)
    affine = np.eye(4)
    affine[:3, :3] = 0
    for axis, world in enumerate(permutation):
        affine[world, axis] = flips[axis] * steps[axis]
    # The wanted corner in RAS: least x (right is +x, so greatest), greatest y (anterior), greatest z (superior).
    corners = np.asarray(np.meshgrid(*[[0, size - 1] for size in shape], indexing="ij")).reshape(3, -1).T
    world_corners = corners @ affine[:3, :3].T
    marker = corners[np.argmax(world_corners.sum(axis=1))]
    volume = np.zeros(shape)
    volume[tuple(marker)] = 1

    orientation = Orientation.of(affine, shape)
    turned = orientation.turned(volume)
    place = tuple(np.argwhere(turned)[0])
    assert place == (0, 0, turned.shape[2] - 1)
    assert turned.shape == orientation.shape
    assert tuple(orientation.turned_index(marker.astype(float), shape)) == place
    for plane in Plane:
        image = plane_image(turned, plane, place)
        assert image[0, 0] == 1, plane
        width, height = orientation.pixel_mm(plane)
        assert orientation.size_mm(plane) == pytest.approx((image.shape[1] * width, image.shape[0] * height))
    assert [orientation.spacing_mm[world] for world in permutation] == list(steps)


def test_slightly_oblique_affine_follows_the_nearest_axes() -> None:
    angle = np.deg2rad(12)
    affine = np.diag([-2.0, -2.0, 3.0, 1.0])
    affine[:3, :3] = (
        np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]]) @ affine[:3, :3]
    )
    orientation = Orientation.of(affine, (4, 5, 6))
    assert orientation.shape == (4, 5, 6)
    assert orientation.spacing_mm == pytest.approx((2.0, 2.0, 3.0))
