"""Preprocessing of nnU-Net v1: crop to what is not zero, transpose, resample, normalize."""

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ct_assets.organ_seg.plans import Plans, Spacing
from ct_assets.organ_seg.resample import IMAGE_ORDER, Resampling, resample, separate_axis
from ct_assets.organ_seg.unsuitable import UnsuitableCtError
from ct_assets.quiet import quiet

if TYPE_CHECKING:
    import torch

logger = logging.getLogger(__name__)

Shape = tuple[int, int, int]

LARGEST_GRID = 1 << 30
"""Most voxels that a CT may have on the grid of the network: sizes are checked before memory is asked for."""
LARGEST_SIDE = 1 << 14
"""Most of them along an axis."""


@dataclass(frozen=True)
class Grid:
    """Where the array of the network lies in the CT.

    Parameters
    ----------
    shape : tuple of int
        Of the CT, slices first.
    spacing_mm : tuple of float
        Of the CT, slices first.
    box : tuple of slice
        What is not zero; the rest was cropped.
    network_shape : tuple of int
        After cropping, transposing and resampling.
    network_spacing_mm : tuple of float
        After transposing and resampling.
    """

    shape: Shape
    spacing_mm: Spacing
    box: tuple[slice, slice, slice]
    network_shape: Shape
    network_spacing_mm: Spacing

    @property
    def cropped_shape(self) -> Shape:
        """Shape of the box."""
        first, second, third = (part.stop - part.start for part in self.box)
        return first, second, third


def finite_voxels(volume: npt.NDArray[Any]) -> tuple[npt.NDArray[Any], str | None]:
    """Take voxels that are no number as 0 HU, as the reader of nnU-Net's NIfTI files does (niftilib).

    Parameters
    ----------
    volume : ndarray
        HU.

    Returns
    -------
    volume : ndarray
        The same one where all voxels are finite.
    remark : str or None
        How many were not.
    """
    if volume.dtype.kind != "f" or np.isfinite(volume).all():
        return volume, None
    finite = np.isfinite(volume)
    remark = f"{finite.size - np.count_nonzero(finite)} voxels that are no finite number were taken as 0 HU"
    return np.where(finite, volume, np.zeros((), volume.dtype)), remark


def plan_grid(volume: npt.NDArray[Any], spacing_mm: Spacing, plans: Plans) -> Grid | None:
    """Find the array that the network works on.

    Parameters
    ----------
    volume : ndarray of shape (slices, rows, columns)
        HU.
    spacing_mm : tuple of float
        Of its axes.
    plans : Plans
        Plans of the network.

    Returns
    -------
    Grid or None
        None if there is nothing but zeros.

    Raises
    ------
    UnsuitableCtError
        If the spacing is not positive, or the array would be larger than `LARGEST_GRID`.
    """
    if volume.ndim != 3 or not all(np.isfinite(spacing_mm)) or min(spacing_mm) <= 0:
        message = f"a CT of shape {volume.shape} and spacing {spacing_mm} mm cannot be segmented; spacing must be > 0"
        raise UnsuitableCtError(message)
    box = _box(volume)
    if box is None:
        return None
    cropped = [box[axis].stop - box[axis].start for axis in plans.transpose_forward]
    spacing = [spacing_mm[axis] for axis in plans.transpose_forward]
    target = [spacing[0], *plans.spacing_mm[1:]] if plans.flat else list(plans.spacing_mm)
    shape = np.round(np.array(spacing) / np.array(target) * np.array(cropped)).astype(int)
    if shape.min() < 1 or shape.max() > LARGEST_SIDE or np.prod(shape, dtype=np.float64) > LARGEST_GRID:
        message = (
            f"a CT of {cropped} voxels of {spacing} mm would have {shape.tolist()} voxels on the grid of the network "
            f"({target} mm); check its spacing"
        )
        raise UnsuitableCtError(message)
    return Grid(_three(volume.shape), spacing_mm, box, _three(shape), _spacing(target))


def preprocess(volume: npt.NDArray[Any], grid: Grid, plans: Plans, device: str) -> "torch.Tensor":
    """Bring a CT to the grid and the intensities of the network.

    Parameters
    ----------
    volume : ndarray of shape (slices, rows, columns)
        HU, finite.
    grid : Grid
        From `plan_grid`.
    plans : Plans
        Plans of the network.
    device : str
        Where the work is done and the result stays.

    Returns
    -------
    Tensor of float32, shape `grid.network_shape`
        Normalized.

    Raises
    ------
    UnsuitableCtError
        If all voxels are alike to a scheme that divides by their deviation.
    """
    import torch

    cropped = volume[grid.box].transpose(plans.transpose_forward)
    if not cropped.dtype.isnative or cropped.dtype not in _TORCH_TAKES:
        cropped = cropped.astype(np.float32)
    data = torch.tensor(cropped, device=device)
    spacing = _spacing([grid.spacing_mm[axis] for axis in plans.transpose_forward])
    separate = separate_axis(spacing, grid.network_spacing_mm)
    mask = _nonzero(volume[grid.box], grid, plans, spacing).to(device) if plans.normalize_nonzero_only else None
    data = resample(data, Resampling(grid.network_shape, IMAGE_ORDER, separate))
    return _normalize(data, mask, plans)


def _normalize(data: "torch.Tensor", mask: "torch.Tensor | None", plans: Plans) -> "torch.Tensor":
    """Normalize in place, by the scheme of the plans."""
    scheme, known = plans.normalization, plans.intensities
    if scheme == "noNorm":
        return data
    if scheme in {"CT", "CT2"}:
        assert known is not None
        mean, deviation = known.mean, known.sd
        if scheme == "CT2":
            counted = data.masked_select((data > known.lowest) & (data < known.highest))
            mean, deviation = _moments(counted)
            if not deviation > 0:
                message = "the CT has no contrast within the window of the network; nothing can be segmented"
                raise UnsuitableCtError(message)
        data.clamp_(known.lowest, known.highest).sub_(mean).div_(deviation)
    else:
        mean, deviation = _moments(data if mask is None else data[mask])
        data.sub_(mean).div_(deviation + 1e-8)
    if mask is not None:
        data[~mask] = 0
    return data


def _moments(values: "torch.Tensor") -> tuple[float, float]:
    import torch

    if not values.numel():
        return 0.0, 0.0
    variance, mean = torch.var_mean(values.to(torch.float64), correction=0)
    return float(mean), float(variance.sqrt())


def _nonzero(cropped: npt.NDArray[Any], grid: Grid, plans: Plans, spacing_mm: Spacing) -> "torch.Tensor":
    """Return what is not zero, holes filled, on the network's grid; by nnU-Net's code, as no CT model asks for it."""
    import torch
    from scipy.ndimage import binary_fill_holes

    with quiet(logger, "nnunet"):
        from nnunet.preprocessing.preprocessing import resample_patient

        outside = np.where(binary_fill_holes(cropped != 0), 0, -1).transpose(plans.transpose_forward)
        target = np.array(grid.network_spacing_mm)
        _, resampled = resample_patient(
            None, outside[None], np.array(spacing_mm), target, force_separate_z=None, order_seg=1
        )
    return torch.from_numpy(resampled[0] >= 0)


def _box(volume: npt.NDArray[Any]) -> tuple[slice, slice, slice] | None:
    """Return the box of what is not zero."""
    hits = np.zeros(volume.shape[0], dtype=bool)
    plane = np.zeros(volume.shape[1:], dtype=bool)
    for index, image in enumerate(volume):
        nonzero = image != 0
        hits[index] = nonzero.any()
        plane |= nonzero
    if not hits.any():
        return None
    first, second, third = (np.flatnonzero(line) for line in (hits, plane.any(axis=1), plane.any(axis=0)))
    return _slice(first), _slice(second), _slice(third)


def _slice(hits: npt.NDArray[np.intp]) -> slice:
    return slice(int(hits[0]), int(hits[-1]) + 1)


def _three(values: Any) -> Shape:
    first, second, third = (int(value) for value in values)
    return first, second, third


def _spacing(values: Any) -> Spacing:
    first, second, third = (float(value) for value in values)
    return first, second, third


_TORCH_TAKES = (np.int16, np.int32, np.uint8, np.float32)
