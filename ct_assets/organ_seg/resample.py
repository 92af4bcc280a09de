"""Resampling as nnU-Net v1 does it, axis by axis: scipy's splines are separable, so each axis is one matrix.

nnU-Net calls `skimage.transform.resize` (order 3 for images, 1 for probabilities, edges repeated), which calls
`scipy.ndimage.zoom`; along an axis that is much coarser than the others it calls `map_coordinates` instead, of another
order. Both are linear, and act on one axis after the other. The matrix of an axis is what scipy makes of the identity,
so the numbers are scipy's own, while the work is three matrix products, on whatever device the volume is.
"""

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ct_assets.organ_seg.plans import ANISOTROPY

if TYPE_CHECKING:
    import torch

IMAGE_ORDER = 3
"""Spline order of images."""


@dataclass(frozen=True)
class Resampling:
    """How a volume goes to another shape.

    `separate_axis` is resampled by itself, with `order_z`, after the planes across it were resampled with `order`.
    """

    shape: tuple[int, int, int]
    order: int
    separate_axis: int | None = None
    order_z: int = 0

    def weights(self, size: int, axis: int) -> npt.NDArray[np.float64] | None:
        """Return the matrix of an axis of a given size, of shape (size afterwards, size); None if it stays."""
        if size == self.shape[axis]:
            return None
        if axis == self.separate_axis:
            return _coordinate_weights(size, self.shape[axis], self.order_z)
        return _zoom_weights(size, self.shape[axis], self.order)


def separate_axis(*spacings: tuple[float, float, float], force: bool | None = None) -> int | None:
    """Return the axis that nnU-Net resamples by itself, if any: the one that is more than three times coarser.

    Parameters
    ----------
    *spacings : tuple of float
        Voxel sizes; the first that is anisotropic decides.
    force : bool, optional
        False: none; True: the coarsest of the first; default: if there is one.
    """
    for spacing in spacings:
        if force is False:
            return None
        if force or max(spacing) / min(spacing) > ANISOTROPY:
            coarsest = np.flatnonzero(max(spacing) / np.asarray(spacing) == 1)
            # Two coarse axes: nnU-Net resamples all three together then.
            return int(coarsest[0]) if len(coarsest) == 1 else None
    return None


def resample(volume: "torch.Tensor", how: Resampling) -> "torch.Tensor":
    """Resample an image, or the probabilities of a class.

    Parameters
    ----------
    volume : Tensor of shape (slices, rows, columns)
        Integers or float32, on any device.
    how : Resampling
        The new shape, and the orders.

    Returns
    -------
    Tensor of float32
        On the same device. What overshoots the values of the input is clipped, as skimage does.
    """
    import torch

    sizes = tuple(int(size) for size in volume.shape)
    result = volume
    across = [axis for axis in (2, 1, 0) if axis != how.separate_axis and sizes[axis] != how.shape[axis]]
    if across:
        limits = _limits(volume, how.separate_axis) if how.order > 1 else None
        # The axis that shrinks most comes first: the others have less to do then.
        for axis in sorted(across, key=lambda axis: how.shape[axis] / sizes[axis]):
            result = _apply(result, how, axis)
        if limits is not None:
            result = result.to(torch.float32)
            torch.clamp_(result, *limits) if how.separate_axis is None else _clamp_planes(result, *limits)
    if how.separate_axis is not None and sizes[how.separate_axis] != how.shape[how.separate_axis]:
        result = _apply(result, how, how.separate_axis)
    return result.to(torch.float32)


def _limits(volume: "torch.Tensor", separate: int | None) -> tuple["torch.Tensor", "torch.Tensor"]:
    """Return the smallest and the largest value, of the volume or of each plane that is resampled by itself."""
    import torch

    if separate is None:
        lowest, highest = torch.aminmax(volume)
    else:
        others = tuple(axis for axis in range(3) if axis != separate)
        lowest, highest = volume.amin(others, keepdim=True), volume.amax(others, keepdim=True)
    return lowest.to(torch.float32), highest.to(torch.float32)


def _clamp_planes(volume: "torch.Tensor", lowest: "torch.Tensor", highest: "torch.Tensor") -> None:
    import torch

    torch.minimum(torch.maximum(volume, lowest, out=volume), highest, out=volume)


def _apply(volume: "torch.Tensor", how: Resampling, axis: int) -> "torch.Tensor":
    """Multiply one axis with its matrix; slice by slice for the last two, so that only the result is of full size."""
    import torch

    weights = how.weights(int(volume.shape[axis]), axis)
    assert weights is not None
    matrix = torch.from_numpy(weights).to(volume.device, torch.float32)
    if axis == 0:
        flat = volume.reshape(volume.shape[0], -1)
        result = torch.empty((matrix.shape[0], flat.shape[1]), device=volume.device)
        for start in range(0, flat.shape[1], _COLUMNS):
            part = slice(start, start + _COLUMNS)
            result[:, part] = matrix @ flat[:, part].to(torch.float32)
        return result.reshape(-1, *volume.shape[1:])
    shape = list(volume.shape)
    shape[axis] = matrix.shape[0]
    result = torch.empty(shape, device=volume.device)
    for index, plane in enumerate(volume):
        image = plane.to(torch.float32)
        torch.matmul(*((matrix, image) if axis == 1 else (image, matrix.T)), out=result[index])
    return result


_COLUMNS = 1 << 18


@functools.lru_cache(maxsize=32)
def _zoom_weights(size: int, target: int, order: int) -> npt.NDArray[np.float64]:
    """Return what `scipy.ndimage.zoom` does to one axis, as skimage calls it."""
    from scipy.ndimage import zoom

    units = np.eye(size)
    return np.stack([zoom(unit, target / size, order=order, mode="nearest", grid_mode=True) for unit in units], axis=1)


@functools.lru_cache(maxsize=32)
def _coordinate_weights(size: int, target: int, order: int) -> npt.NDArray[np.float64]:
    """Return what nnU-Net's `map_coordinates` does to an axis that is resampled by itself."""
    from scipy.ndimage import map_coordinates

    places = (size / target) * (np.arange(target) + 0.5) - 0.5
    units = np.eye(size)
    return np.stack([map_coordinates(unit, places[None], order=order, mode="nearest") for unit in units], axis=1)
