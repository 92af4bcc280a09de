"""Does a NIfTI volume lie where DICOM puts it, and which of its slices is which instance."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ct_assets.dicom.series import CtSeries

POSITION_TOLERANCE_MM = 0.05
"""Largest distance between a voxel centre by NIfTI and by DICOM, in mm: both store positions in single precision."""


class GeometryMismatchError(ValueError):
    """A volume that does not lie where DICOM puts it, with the difference."""


@dataclass(frozen=True)
class VoxelOrder:
    """How the voxel axes of a NIfTI volume run: `slice_order[k]` is the rank of slice k in the DICOM series."""

    flip_columns: bool
    flip_rows: bool
    slice_order: tuple[int, ...]


def match_geometry(shape: tuple[int, ...], affine: npt.NDArray[np.float64], series: CtSeries) -> VoxelOrder:
    """Find how the voxels of a NIfTI volume correspond to those of the DICOM series.

    The matrix from NIfTI index to DICOM index must be a permutation of the slices with flips of rows and columns;
    then every voxel is checked to lie within `POSITION_TOLERANCE_MM` of its DICOM place, slice by slice.

    Parameters
    ----------
    shape : tuple of int
        Columns, rows, slices of the volume.
    affine : ndarray of shape (4, 4)
        NIfTI index to RAS, mm.
    series : CtSeries
        The DICOM series.

    Returns
    -------
    VoxelOrder
        The correspondence.

    Raises
    ------
    GeometryMismatchError
        If size, orientation, spacing or position differ.
    """
    slices, rows, columns = series.shape
    if tuple(shape) != (columns, rows, slices):
        message = (
            f"volume of {' x '.join(map(str, shape))} voxels, but DICOM has {columns} columns, {rows} rows, "
            f"{slices} slices"
        )
        raise GeometryMismatchError(message)
    index = np.linalg.inv(series.ras_affine) @ affine
    direction = np.sign(np.diag(index)[:3])
    if np.abs(index[:3, :3] - np.diag(direction)).max() > 0.01:
        message = "axes of the volume are not those of the DICOM slices (resampled, tilted or another orientation)"
        raise GeometryMismatchError(message)
    flips = direction < 0
    order = np.arange(slices)[::-1] if flips[2] else np.arange(slices)
    _check_positions(affine, series, flips, order)
    return VoxelOrder(bool(flips[0]), bool(flips[1]), tuple(int(rank) for rank in order))


def _check_positions(
    affine: npt.NDArray[np.float64], series: CtSeries, flips: npt.NDArray[np.bool_], order: npt.NDArray[np.int64]
) -> None:
    """Compare the four corners of every slice with their DICOM places."""
    slices, rows, columns = series.shape
    to_patient = series.affine
    for k, rank in enumerate(order):
        for column in (0, columns - 1):
            for row in (0, rows - 1):
                i = columns - 1 - column if flips[0] else column
                j = rows - 1 - row if flips[1] else row
                nifti = (affine @ np.array([i, j, k, 1.0]))[:3] * np.array([-1.0, -1.0, 1.0])
                dicom = series.instances[rank].origin + to_patient[:3, 0] * column + to_patient[:3, 1] * row
                distance = float(np.linalg.norm(nifti - dicom))
                if distance > POSITION_TOLERANCE_MM:
                    message = f"slice {k} of {slices} lies {distance:.2f} mm from its place in DICOM"
                    raise GeometryMismatchError(message)
