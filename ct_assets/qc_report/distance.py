"""Exact distances from the voxels of one mask to another: near ones by looking around, far ones by a k-d tree."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.spatial import KDTree

Mask = npt.NDArray[np.bool_]
Distances = npt.NDArray[np.float64]
Indices = npt.NDArray[np.intp]

_REACH = 3.0
"""How far to look around a voxel, in edges of the cube of a voxel's volume: some 110 voxels in space.

Farther out, looking at every voxel costs as much as asking the tree."""

_LEAF = 32
"""Points in a leaf of the tree; 32 was the fastest of 8, 16, 32 and 64 on surfaces of 21,000 voxels."""

_ROUGHLY = 1.0
"""Tolerance, as a share of a distance, of distances that only have to show which are short."""


@dataclass(frozen=True)
class DirectedDistances:
    """Distances from one mask to another, in mm.

    Attributes
    ----------
    farthest : float
        The longest distance from a voxel of the mask to the nearest voxel of the other; 0 where none is outside it.
    ordinal : float
        The distance of all voxels of the mask to the other, 0 inside it, that has the given index when sorted.
    surface : ndarray of float64
        The distance from each surface voxel of the mask to the nearest surface voxel of the other, in no order.
    """

    farthest: float
    ordinal: float
    surface: Distances


def directed_distances(
    first: Mask, second: Mask, spacing_mm: Sequence[float], ordinals: tuple[int, int]
) -> tuple[DirectedDistances, DirectedDistances]:
    """Measure the distances between two masks in both directions.

    Outside a mask, the voxel of it that is nearest is on its surface: from any other, a face neighbour is nearer. So
    all distances are distances to surface voxels. Those of far voxels below the surface are measured only where they
    decide: where the ordinal lies among them, or where one is farther than all of the surface, as is the middle of a
    ball from a hollow sphere around it.

    Parameters
    ----------
    first, second : ndarray of bool
        Masks on the same grid, neither empty.
    spacing_mm : sequence of float
        Distance between voxel centres along each axis in mm.
    ordinals : tuple of 2 int
        Index of `DirectedDistances.ordinal` for each direction.

    Returns
    -------
    tuple of 2 DirectedDistances
        From the first to the second, and from the second to the first.
    """
    around = _Surroundings.of(spacing_mm)
    one, other = (_Padded.of(mask, around.margin) for mask in (first, second))
    return _directed(one, other, around, ordinals[0]), _directed(other, one, around, ordinals[1])


@dataclass(frozen=True)
class _Surroundings:
    """The places around a voxel, nearest first.

    Attributes
    ----------
    shells : list of (float, ndarray of int)
        Distance in mm, and all offsets (places, axes) at that distance, which may be spread over several shells.
    margin : tuple of int
        Voxels that a grid needs around it along each axis to look around everywhere; at least 1.
    """

    spacing_mm: tuple[float, ...]
    shells: list[tuple[float, Indices]]
    margin: tuple[int, ...]

    @classmethod
    def of(cls, spacing_mm: Sequence[float]) -> "_Surroundings":
        radius = _REACH * float(np.prod(spacing_mm)) ** (1 / len(spacing_mm))
        margin = [int(radius // step) for step in spacing_mm]
        places = np.indices([2 * count + 1 for count in margin]).reshape(len(margin), -1).T - margin
        distances = np.sqrt(((places * spacing_mm) ** 2).sum(axis=1))
        shells = [(float(distance), places[distances == distance]) for distance in np.unique(distances)]
        return cls(
            tuple(spacing_mm),
            [(distance, members) for distance, members in shells if distance <= radius],
            tuple(max(count, 1) for count in margin),
        )


@dataclass(frozen=True)
class _Padded:
    """A mask and its surface with a margin of background, so that no neighbour is beyond the array."""

    mask: Mask
    surface: Mask

    @classmethod
    def of(cls, mask: Mask, margin: Sequence[int]) -> "_Padded":
        padded = np.pad(mask, [(count, count) for count in margin])
        inner = padded.copy()
        for axis in range(padded.ndim):
            for step in (1, -1):
                inner &= np.roll(padded, step, axis)
        return cls(padded, padded & ~inner)


def _directed(mask: _Padded, other: _Padded, around: _Surroundings, ordinal: int) -> DirectedDistances:
    outside = mask.mask & ~other.mask
    points = np.flatnonzero(outside | mask.surface)
    is_outside, is_surface = outside.ravel()[points], mask.surface.ravel()[points]
    distances = _near_distances(points, other.surface, around)
    far = np.isnan(distances)
    inside_count = int(np.count_nonzero(mask.mask)) - int(np.count_nonzero(is_outside))
    rank = ordinal - inside_count
    if rank < np.count_nonzero(is_outside & ~far):
        far &= is_surface
    tree = _Tree.of(other.surface, around.spacing_mm)
    distances[far] = tree.distances(points[far])
    farthest = float(np.nanmax(distances[is_outside], initial=0))
    beyond = tree.farthest(points[np.isnan(distances)], farthest)
    # A distance that is left out is longer than all near ones, the ordinal among them.
    from_outside = np.nan_to_num(distances[is_outside], nan=np.inf)
    return DirectedDistances(
        farthest=beyond,
        ordinal=0.0 if rank < 0 else float(np.partition(from_outside, rank)[rank]),
        surface=distances[is_surface],
    )


def _near_distances(points: Indices, target: Mask, around: _Surroundings) -> Distances:
    """Distances from points to the target by looking around them shell by shell; NaN where nothing is that near."""
    distances = np.full(len(points), np.nan)
    strides = np.array(target.strides) // target.itemsize
    flat, left = target.ravel(), np.arange(len(points))
    for distance, places in around.shells:
        hit = np.zeros(len(left), dtype=bool)
        for offset in places @ strides:
            hit |= flat[points + offset]
        distances[left[hit]] = distance
        points, left = points[~hit], left[~hit]
    return distances


@dataclass(frozen=True)
class _Tree:
    """The k-d tree of a mask's voxels."""

    tree: KDTree
    shape: tuple[int, ...]
    spacing_mm: tuple[float, ...]

    @classmethod
    def of(cls, mask: Mask, spacing_mm: tuple[float, ...]) -> "_Tree":
        # An unbalanced tree is built twice as fast, and answers as fast: the points are spread evenly.
        places = np.argwhere(mask) * spacing_mm
        return cls(KDTree(places, _LEAF, compact_nodes=False, balanced_tree=False), mask.shape, spacing_mm)

    def distances(self, points: Indices, tolerance: float = 0) -> Distances:
        """Return distances, none more than 1 + tolerance times as long as it is, and none shorter."""
        if not len(points):
            return np.empty(0)
        places = np.stack(np.unravel_index(points, self.shape), axis=1) * self.spacing_mm
        return np.asarray(self.tree.query(places, eps=tolerance)[0], dtype=np.float64)

    def farthest(self, points: Indices, known: float) -> float:
        """Return the longest distance of the points if it is longer than a known one, and the known one if not."""
        longer = points[self.distances(points, _ROUGHLY) > known]
        return float(self.distances(longer).max(initial=known))
