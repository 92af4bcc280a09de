"""The triangles of every pattern, beside pyradiomics' own routine on one cube."""

import numpy as np
import pytest
from radiomics import cShape

from ct_assets.shape_features.marching_cubes import CORNERS, triangles

SPACINGS = ((1.0, 1.0, 1.0), (2.5, 0.98, 0.98), (0.4, 3.1, 1.7), (5.0, 0.3, 0.7))


def cube(pattern: int) -> np.ndarray:
    return np.array([pattern >> bit & 1 for bit in range(8)], dtype=bool).reshape(2, 2, 2)


@pytest.mark.parametrize("spacing", SPACINGS)
def test_area_and_volume_of_every_pattern(spacing):
    for pattern in range(256):
        area, volume, _ = cShape.calculate_coefficients(cube(pattern), np.array(spacing))
        first, second, third = np.moveaxis(triangles()[pattern] * spacing, 1, 0)
        ours = np.linalg.norm(np.cross(second - first, third - first), axis=1).sum() / 2
        assert ours == pytest.approx(area, rel=1e-13), pattern
        ours = (np.cross(first, second) * third).sum() / 6
        assert ours == pytest.approx(volume, rel=1e-13, abs=1e-13), pattern


def test_every_vertex_lies_between_an_inside_and_an_outside_corner():
    for pattern in range(256):
        for vertex in triangles()[pattern].reshape(-1, 3):
            if not vertex.any():  # a triangle that the pattern lacks
                continue
            ends = [np.where(vertex == 0.5, side, vertex) for side in (0, 1)]
            inside = [pattern >> CORNERS.index(tuple(end.astype(int))) & 1 for end in ends]
            assert sorted(inside) == [0, 1]


def test_the_mesh_of_one_voxel_is_an_octahedron():
    corner = triangles()[1]
    area = np.linalg.norm(np.cross(corner[0, 1] - corner[0, 0], corner[0, 2] - corner[0, 0])) / 2
    assert area == pytest.approx(np.sqrt(3) / 8)
    assert not corner[1:].any()


def test_the_table_cannot_be_changed():
    with pytest.raises(ValueError, match="read-only"):
        triangles()[0] = 1
