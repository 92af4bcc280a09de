"""Slices as the network takes them: bpreg's window, blur, 3.5 mm pixels and frame of 128 by 128, as two matrices.

bpreg blurs and resizes slice by slice with general image filters. Both are linear and separable, so for one volume
they are a matrix along x and one along y, and all slices become two matrix products. The matrices are what bpreg's own
filters (scipy's Gaussian, OpenCV's linear resizing) make of the unit vectors.
"""

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from ct_assets.bpr_json.orientation import BpregOrientation
from ct_assets.bpr_json.unsuitable import UnsuitableVolumeError

SIZE: Final = 128
"""Rows and columns of a slice as the network takes it."""

PIXEL_MM: Final = 3.5
"""Distance between its pixels in mm."""

WINDOW: Final = (-1000, 1500)
"""HU that become -1 and 1; beyond them values are clipped."""

_SIGMA_AT_QUARTER = 0.8 * 0.25  # blur before shrinking: 0.8 pixels where a slice shrinks to a quarter
_TRUNCATE = 3  # standard deviations
_LARGEST_EXTENT_MM = 5_000  # no patient and no scanner
_MOST_VOXELS = 8_192  # the matrix of an axis is made of as many unit vectors of as many voxels
_SMALLEST_STEP_MM = 0.01  # the scores' smoothing over 10 mm would take a thousand slices
_SMALLEST_CONTRAST = 1e-5  # of a range of 2: what rounding makes of a volume of one value


def spacing_of(affine: npt.NDArray[np.float64], orientation: BpregOrientation) -> npt.NDArray[np.float32]:
    """Return the distances between voxels along x, y and z in mm, with a NIfTI header's precision, as bpreg reads them.

    Parameters
    ----------
    affine : ndarray of shape (4, 4)
        Index to RAS in mm.
    orientation : BpregOrientation
        How bpreg turns the volume.
    """
    steps = np.linalg.norm(affine[:3, :3], axis=0)[list(orientation.axes)]
    return np.asarray(steps, dtype=np.float32)


def preprocess(volume: npt.NDArray[Any], affine: npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
    """Return the slices of a CT as the network takes them.

    Equal to `bpreg.preprocessing.nifti2npy.Nifti2Npy.preprocess_nifti` but for rounding.

    Parameters
    ----------
    volume : ndarray of shape (columns, rows, slices)
        HU.
    affine : ndarray of shape (4, 4)
        Index to RAS in mm.

    Returns
    -------
    ndarray of float32, shape (slices, 128, 128)
        Values from -1 to 1, axes z, x, y.

    Raises
    ------
    UnsuitableVolumeError
        If there is nothing to score, or the spacing cannot be that of a CT.
    """
    from scipy.sparse import csr_array

    orientation = BpregOrientation.of(affine)
    turned, spacing = orientation.turned(volume), spacing_of(affine, orientation)
    _require_voxels(turned)
    _require_spacing(spacing, turned.shape)
    along_x, along_y = (_blur_and_resize(turned.shape[axis], spacing[axis]) for axis in (0, 1))
    # A row of these matrices has about ten values: sparse where it saves the most, on the whole slice.
    first, second = csr_array(along_y[_kept(len(along_y))]), along_x[_kept(len(along_x))]
    slices = np.full((turned.shape[2], SIZE, SIZE), -1, dtype=np.float32)
    target_x, target_y = _place(len(second)), _place(first.shape[0])
    lowest, highest = WINDOW
    for index in range(len(slices)):
        windowed = np.clip(turned[:, :, index].T, lowest, highest).astype(np.float32)
        small = second @ (first @ windowed).T
        slices[index, target_x, target_y] = (small - lowest) * np.float32(2 / (highest - lowest)) - 1
    _require_content(slices[:, target_x, target_y])
    return slices


def _blur_and_resize(voxels: int, spacing: np.float32) -> npt.NDArray[np.float32]:
    """Return the matrix of blurring and resizing along one axis, shape (pixels of 3.5 mm, voxels)."""
    import cv2
    from scipy.ndimage import gaussian_filter1d

    pixels = _pixels(voxels, spacing)
    sigma = _SIGMA_AT_QUARTER / (pixels / voxels)
    blurred = gaussian_filter1d(np.eye(voxels), sigma, axis=0, truncate=_TRUNCATE).astype(np.float32)
    resized = blurred if pixels == voxels else cv2.resize(blurred, (voxels, pixels), interpolation=cv2.INTER_LINEAR)
    return np.asarray(resized, dtype=np.float32)


def _pixels(voxels: int, spacing: np.float32) -> int:
    return int(voxels / (PIXEL_MM / spacing) + 0.5)


def _kept(pixels: int) -> slice:
    """Return the pixels that a frame of 128 keeps."""
    start = max((pixels - SIZE) // 2, 0)
    return slice(start, start + SIZE)


def _place(pixels: int) -> slice:
    """Return where in a frame of 128 that many pixels lie."""
    start = (SIZE - pixels) // 2
    return slice(start, start + pixels)


def _require_voxels(turned: npt.NDArray[Any]) -> None:
    if 0 in turned.shape:
        message = f"the volume has no voxels: {' x '.join(str(size) for size in turned.shape)}"
        raise UnsuitableVolumeError(message)
    if turned.shape[2] == 1:
        message = "the volume has one slice along the body; a curve of slice scores needs at least two"
        raise UnsuitableVolumeError(message)


def _require_content(slices: npt.NDArray[np.float32]) -> None:
    if not np.isfinite(slices).all():
        message = "the volume has voxels that are no number"
        raise UnsuitableVolumeError(message)
    if not np.ptp(slices) > _SMALLEST_CONTRAST:
        message = f"the volume is empty: all voxels are alike within the window of {WINDOW[0]} to {WINDOW[1]} HU"
        raise UnsuitableVolumeError(message)


def _require_spacing(spacing: npt.NDArray[np.float32], shape: tuple[int, ...]) -> None:
    text = " x ".join(f"{step:g}" for step in spacing)
    if not np.isfinite(spacing).all() or spacing.min() < _SMALLEST_STEP_MM:
        message = f"voxels of {text} mm cannot be those of a CT"
        raise UnsuitableVolumeError(message)
    for size, step in zip(shape[:2], spacing[:2], strict=True):
        if size > _MOST_VOXELS:
            message = f"a slice of {size} voxels across cannot be that of a CT; at most {_MOST_VOXELS} are taken"
            raise UnsuitableVolumeError(message)
        if size * step > _LARGEST_EXTENT_MM or _pixels(size, step) < 2:
            message = (
                f"a slice of {size * step:g} mm cannot be that of a CT; bpreg takes 7 mm to {_LARGEST_EXTENT_MM} mm "
                f"(voxels of {text} mm)"
            )
            raise UnsuitableVolumeError(message)
