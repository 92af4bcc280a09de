"""Overlap and distance of two masks: Dice, Hausdorff distance, and its 95th percentile in two named definitions."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ct_assets.qc_report.distance import Mask, directed_distances


@dataclass(frozen=True)
class MaskComparison:
    """How far two masks agree.

    Attributes
    ----------
    dice : float
        Dice similarity coefficient, 2 |A and B| / (|A| + |B|) (Dice, Ecology 1945).
    hausdorff : float
        Hausdorff distance in mm: the longest distance from the centre of a voxel of either mask to the nearest of the
        other (plastimatch, "Hausdorff distance"). The voxel that decides may lie below the surface, as the middle of a
        ball in a hollow sphere does.
    hd95_volumetric : float
        The published HD95 in mm: plastimatch's "Percent (0.95) Hausdorff distance", over all voxels of the masks. In
        each direction, the distances of all n voxels of one mask to the other, 0 inside it, are sorted and the one at
        index floor(0.95 n) - 1 is taken; the result is the mean of both directions. It is far smaller than a surface
        HD95, and 0 where at most 5 % of either mask lie outside the other.
    hd95_surface : float
        The usual symmetric HD95 in mm, the definition of MONAI: the larger of the two directed 95th percentiles (linear
        interpolation) of the distances from surface to surface. Surface voxels have a face neighbour outside their
        mask; beyond the grid is outside.
    """

    dice: float
    hausdorff: float
    hd95_volumetric: float
    hd95_surface: float


def compare_masks(first: Mask, second: Mask, spacing_mm: Sequence[float]) -> MaskComparison | None:
    """Compare two masks on one grid, in the smallest box that holds both.

    Parameters
    ----------
    first, second : ndarray of bool, shape (columns, rows, slices)
        Masks on the same grid.
    spacing_mm : sequence of 3 float
        Distance between voxel centres along each axis in mm.

    Returns
    -------
    MaskComparison or None
        None where a mask is empty: agreement with nothing cannot be measured.

    Raises
    ------
    ValueError
        If the shapes differ, or the spacing does not fit them.
    """
    cropped = _cropped_pair(first, second, spacing_mm)
    if cropped is None:
        return None
    first_ordinal, second_ordinal = (_ordinal(int(np.count_nonzero(mask))) for mask in cropped)
    forward, backward = directed_distances(*cropped, spacing_mm, (first_ordinal, second_ordinal))
    return MaskComparison(
        dice=_dice(*cropped),
        hausdorff=max(forward.farthest, backward.farthest),
        hd95_volumetric=(forward.ordinal + backward.ordinal) / 2,
        hd95_surface=float(max(np.percentile(forward.surface, 95), np.percentile(backward.surface, 95))),
    )


def _dice(first: Mask, second: Mask) -> float:
    overlap = int(np.count_nonzero(first & second))
    return 2 * overlap / int(np.count_nonzero(first) + np.count_nonzero(second))


def _ordinal(count: int) -> int:
    """Index floor(0.95 n) - 1, in whole numbers because 0.95 has no exact binary form."""
    return max(95 * count // 100 - 1, 0)


def _cropped_pair(first: Mask, second: Mask, spacing_mm: Sequence[float]) -> tuple[Mask, Mask] | None:
    """Crop to the box of both masks, which changes no distance: both ends of every distance are in it."""
    _check(first, second, spacing_mm)
    boxes = [_box(first), _box(second)]
    if boxes[0] is None or boxes[1] is None:
        return None
    box = tuple(slice(min(a.start, b.start), max(a.stop, b.stop)) for a, b in zip(boxes[0], boxes[1], strict=True))
    return first[box], second[box]


def _box(mask: Mask) -> tuple[slice, ...] | None:
    """Return the box of a mask, having read it once, in the order in which it lies in memory.

    The slowest axis comes first; what it leaves, often a tenth, is projected along it for the others.
    """
    slowest = max(range(mask.ndim), key=lambda axis: abs(mask.strides[axis]))
    ends = _ends(mask, slowest)
    if ends is None:
        return None
    along = tuple(ends if axis == slowest else slice(None) for axis in range(mask.ndim))
    projection = np.any(mask[along], axis=slowest, keepdims=True)
    others = [_ends(projection, axis) or slice(0) for axis in range(mask.ndim)]
    return (*others[:slowest], ends, *others[slowest + 1 :])


def _ends(mask: Mask, axis: int) -> slice | None:
    places = np.flatnonzero(np.any(mask, axis=tuple(other for other in range(mask.ndim) if other != axis)))
    return slice(int(places[0]), int(places[-1]) + 1) if places.size else None


def _check(first: Mask, second: Mask, spacing_mm: Sequence[float]) -> None:
    if first.shape != second.shape:
        message = f"masks of shape {first.shape} and {second.shape} are not on one grid"
        raise ValueError(message)
    if len(spacing_mm) != first.ndim or not all(step > 0 for step in spacing_mm):
        message = f"spacing {tuple(spacing_mm)} does not fit masks of {first.ndim} dimensions"
        raise ValueError(message)
