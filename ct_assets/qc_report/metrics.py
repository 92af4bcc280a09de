"""Overlap and distance of two masks: Dice, Hausdorff distance, and its 95th percentile in two named definitions."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

Mask = npt.NDArray[np.bool_]
Distances = npt.NDArray[np.float64]


@dataclass(frozen=True)
class MaskComparison:
    """How far two masks agree; distances in mm."""

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
    forward, backward = _directed_volumetric(*cropped, spacing_mm)
    return MaskComparison(
        dice=_dice(*cropped),
        hausdorff=float(max(forward.max(), backward.max())),
        hd95_volumetric=_mean_of_ordinals(forward, backward),
        hd95_surface=_largest_percentile(*_directed_surface(*cropped, spacing_mm)),
    )


def dice(first: Mask, second: Mask) -> float | None:
    """Return the Dice similarity coefficient, 2 |A and B| / (|A| + |B|) (Dice, Ecology 1945).

    Parameters
    ----------
    first, second : ndarray of bool
        Masks on the same grid.

    Returns
    -------
    float or None
        Between 0 and 1; None where a mask is empty.

    Raises
    ------
    ValueError
        If the shapes differ.
    """
    _check(first, second, (1.0,) * first.ndim)
    return _dice(first, second) if first.any() and second.any() else None


def hausdorff_distance(first: Mask, second: Mask, spacing_mm: Sequence[float]) -> float | None:
    """Return the Hausdorff distance between the voxel centres of two masks.

    It is the same for all voxels as for surface voxels only: the voxel furthest from the other mask is on the surface.

    Parameters
    ----------
    first, second : ndarray of bool
        Masks on the same grid.
    spacing_mm : sequence of float
        Distance between voxel centres along each axis in mm.

    Returns
    -------
    float or None
        Distance in mm; None where a mask is empty.

    Raises
    ------
    ValueError
        If the shapes differ, or the spacing does not fit them.
    """
    cropped = _cropped_pair(first, second, spacing_mm)
    if cropped is None:
        return None
    forward, backward = _directed_volumetric(*cropped, spacing_mm)
    return float(max(forward.max(), backward.max()))


def hd95_volumetric(first: Mask, second: Mask, spacing_mm: Sequence[float]) -> float | None:
    """Return the published HD95: plastimatch's "Percent (0.95) Hausdorff distance", over all voxels of the masks.

    In each direction, the distances of all n voxels of one mask to the other mask, 0 inside it, are sorted and the one
    at index floor(0.95 n) - 1 is taken; the result is the mean of both directions (plastimatch, `hausdorff_distance`).
    It is far smaller than a surface HD95, and 0 where at most 5 % of either mask lie outside the other.

    Parameters
    ----------
    first, second : ndarray of bool
        Masks on the same grid.
    spacing_mm : sequence of float
        Distance between voxel centres along each axis in mm.

    Returns
    -------
    float or None
        Distance in mm; None where a mask is empty.

    Raises
    ------
    ValueError
        If the shapes differ, or the spacing does not fit them.
    """
    cropped = _cropped_pair(first, second, spacing_mm)
    return None if cropped is None else _mean_of_ordinals(*_directed_volumetric(*cropped, spacing_mm))


def hd95_surface(first: Mask, second: Mask, spacing_mm: Sequence[float]) -> float | None:
    """Return the usual symmetric HD95 over surface voxels, the definition of MONAI.

    Surface voxels have a face neighbour outside their mask; beyond the grid is outside. The result is the larger of
    the two directed 95th percentiles (linear interpolation) of the distances to the other surface.

    Parameters
    ----------
    first, second : ndarray of bool
        Masks on the same grid.
    spacing_mm : sequence of float
        Distance between voxel centres along each axis in mm.

    Returns
    -------
    float or None
        Distance in mm; None where a mask is empty.

    Raises
    ------
    ValueError
        If the shapes differ, or the spacing does not fit them.
    """
    cropped = _cropped_pair(first, second, spacing_mm)
    return None if cropped is None else _largest_percentile(*_directed_surface(*cropped, spacing_mm))


def _dice(first: Mask, second: Mask) -> float:
    overlap = int(np.count_nonzero(first & second))
    return 2 * overlap / int(np.count_nonzero(first) + np.count_nonzero(second))


def _directed_volumetric(first: Mask, second: Mask, spacing_mm: Sequence[float]) -> tuple[Distances, Distances]:
    return (
        ndimage.distance_transform_edt(~second, spacing_mm)[first],
        ndimage.distance_transform_edt(~first, spacing_mm)[second],
    )


def _directed_surface(first: Mask, second: Mask, spacing_mm: Sequence[float]) -> tuple[Distances, Distances]:
    return _directed_volumetric(_surface(first), _surface(second), spacing_mm)


def _surface(mask: Mask) -> Mask:
    return np.asarray(mask & ~ndimage.binary_erosion(mask, border_value=0), dtype=bool)


def _mean_of_ordinals(forward: Distances, backward: Distances) -> float:
    return float((_ordinal(forward) + _ordinal(backward)) / 2)


def _ordinal(distances: Distances) -> float:
    """Distance at index floor(0.95 n) - 1, in whole numbers because 0.95 has no exact binary form."""
    index = max(95 * len(distances) // 100 - 1, 0)
    return float(np.partition(distances, index)[index])


def _largest_percentile(forward: Distances, backward: Distances) -> float:
    return float(max(np.percentile(forward, 95), np.percentile(backward, 95)))


def _cropped_pair(first: Mask, second: Mask, spacing_mm: Sequence[float]) -> tuple[Mask, Mask] | None:
    """Crop to the box of both masks, which changes no distance: both ends of every distance are in it."""
    _check(first, second, spacing_mm)
    boxes = [_box(first), _box(second)]
    if boxes[0] is None or boxes[1] is None:
        return None
    box = tuple(slice(min(a.start, b.start), max(a.stop, b.stop)) for a, b in zip(boxes[0], boxes[1], strict=True))
    return first[box], second[box]


def _box(mask: Mask) -> tuple[slice, ...] | None:
    axes = range(mask.ndim)
    profiles = [np.flatnonzero(mask.any(axis=tuple(other for other in axes if other != axis))) for axis in axes]
    if not profiles[0].size:
        return None
    return tuple(slice(int(profile[0]), int(profile[-1]) + 1) for profile in profiles)


def _check(first: Mask, second: Mask, spacing_mm: Sequence[float]) -> None:
    if first.shape != second.shape:
        message = f"masks of shape {first.shape} and {second.shape} are not on one grid"
        raise ValueError(message)
    if len(spacing_mm) != first.ndim or not all(step > 0 for step in spacing_mm):
        message = f"spacing {tuple(spacing_mm)} does not fit masks of {first.ndim} dimensions"
        raise ValueError(message)
