"""Surface area, volume and diameter of the mesh of a mask, without building it."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.spatial import ConvexHull
from scipy.spatial.distance import cdist

from ct_assets.shape_features.marching_cubes import triangles

_PLANES_AT_A_TIME = 16
_ROWS_AT_A_TIME = 1024


@dataclass(frozen=True)
class Mesh:
    """What is measured on a mesh: area in mm2, volume in mm3, largest distance of two vertices in mm."""

    surface_area: float
    volume: float
    maximum_diameter: float


def measure_mesh(mask: npt.NDArray[np.bool_], spacing: npt.NDArray[np.float64]) -> Mesh:
    """Measure the marching-cubes mesh of a mask, as pyradiomics does.

    All cubes of one pattern have the same area. The signed volume of the tetrahedra between a cube's triangles and the
    origin is that of the pattern plus the position of the cube times their vector area.

    Parameters
    ----------
    mask : ndarray of bool, shape (slices, rows, columns)
        Mask, cropped to its bounding box; it has a voxel.
    spacing : ndarray of float64, shape (3,)
        Voxel size in that order, mm.

    Returns
    -------
    Mesh
        Its measures.

    Notes
    -----
    Where voxels touch only by an edge the mesh may have a gap (`marching_cubes`), and then the volume depends on the
    origin; that of a few voxels may be zero or negative. As in pyradiomics the origin is the voxel before the first one
    of the bounding box.
    """
    padded = np.pad(mask, 1)
    of_pattern = _measures_of_patterns(spacing)
    area = volume = 0.0
    for position, patterns in _surface_cubes(padded):
        pattern_area, pattern_volume, vector_area = (measure[patterns] for measure in of_pattern)
        area += float(pattern_area.sum())
        volume += float(pattern_volume.sum() + np.einsum("ij,ij->", position * spacing, vector_area) / 3)
    return Mesh(area, volume, _maximum_distance(_hull_vertices(padded) * spacing))


def _surface_cubes(
    padded: npt.NDArray[np.bool_],
) -> Iterator[tuple[npt.NDArray[np.float64], npt.NDArray[np.uint8]]]:
    """Give position and pattern of the cubes that are neither all inside nor all outside, some planes at a time."""
    voxels = padded.view(np.uint8)
    for first in range(0, len(padded) - 1, _PLANES_AT_A_TIME):
        part = voxels[first : first + _PLANES_AT_A_TIME + 1]
        edges = part[:, :, :-1] | part[:, :, 1:] << np.uint8(1)
        faces = edges[:, :-1] | edges[:, 1:] << np.uint8(2)
        patterns = faces[:-1] | faces[1:] << np.uint8(4)
        # 0 and 255, all outside and all inside, are the two values that are below 2 when 1 is added in eight bits.
        surface = np.flatnonzero(patterns + np.uint8(1) > 1)
        position = np.column_stack(np.unravel_index(surface, patterns.shape)).astype(np.float64)
        position[:, 0] += first
        yield position, patterns.ravel()[surface]


def _measures_of_patterns(
    spacing: npt.NDArray[np.float64],
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return of each pattern area (mm2), volume of the tetrahedra to the cube's origin (mm3), vector area (mm2)."""
    first, second, third = np.moveaxis(triangles() * spacing, 2, 0)
    normals = np.cross(second - first, third - first) / 2
    area = np.linalg.norm(normals, axis=-1).sum(axis=1)
    volume = np.einsum("ptd,ptd->p", np.cross(first, second), third) / 6
    return area, volume, normals.sum(axis=1)


def _hull_vertices(padded: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
    """Return the vertices of the mesh that are on its convex hull, in voxels: two of them are farthest apart.

    A vertex is the midpoint of an edge from inside to outside. Coordinates are doubled while the hull is looked for, so
    that they are whole numbers.
    """
    vertices = np.concatenate([_outermost(padded, axis) for axis in range(3)])
    hull: npt.NDArray[np.float64] = vertices[ConvexHull(vertices).vertices] / 2
    return hull


def _outermost(padded: npt.NDArray[np.bool_], axis: int) -> npt.NDArray[np.float64]:
    """Return the vertices on edges along an axis that may be on the hull, in half voxels.

    Of those on one line of voxels they are the first and the last. Where one of them is not farther out than the middle
    between the neighbouring lines' it lies inside the hull, or on it between two vertices.
    """
    lines = np.moveaxis(padded, axis, -1)
    length = lines.shape[-1]
    crossed = lines.any(axis=-1)
    vertices = []
    for direction in (1, -1):
        outermost = length - 1 - lines[..., ::-direction].argmax(axis=-1)
        height = np.where(crossed, 2.0 * outermost + 1, -np.inf)
        across = np.argwhere(_above_neighbours(height, 0) & _above_neighbours(height, 1))
        along = height[tuple(across.T)]
        position = along if direction == 1 else 2 * (length - 1) - along
        vertices.append(np.insert(2.0 * across, axis, position, axis=1))
    return np.concatenate(vertices)


def _above_neighbours(height: npt.NDArray[np.float64], axis: int) -> npt.NDArray[np.bool_]:
    """Tell where a height map, whose rim is empty, is higher than the mean of the values on either side."""
    before, after = (np.roll(height, shift, axis) for shift in (1, -1))
    higher: npt.NDArray[np.bool_] = height > (before + after) / 2
    return higher


def _maximum_distance(points: npt.NDArray[np.float64]) -> float:
    """Return the largest distance of two points, a block at a time, so that memory grows with their number alone."""
    starts = range(0, len(points), _ROWS_AT_A_TIME)
    return max(float(cdist(points[start : start + _ROWS_AT_A_TIME], points[start:]).max()) for start in starts)
