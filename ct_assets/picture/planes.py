"""Planes through a volume as a radiologist reads them: patient right on the left, anterior and superior at the top."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import nibabel as nib
import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


class Plane(StrEnum):
    """The three anatomical planes."""

    AXIAL = "axial"
    CORONAL = "coronal"
    SAGITTAL = "sagittal"


EDGES: dict[Plane, tuple[str, str, str, str]] = {
    Plane.AXIAL: ("R", "L", "A", "P"),
    Plane.CORONAL: ("R", "L", "S", "I"),
    Plane.SAGITTAL: ("A", "P", "S", "I"),
}
"""What lies at the left, right, top and bottom edge of the image of each plane."""

_FIXED_AXIS = {Plane.SAGITTAL: 0, Plane.CORONAL: 1, Plane.AXIAL: 2}


@dataclass(frozen=True)
class Orientation:
    """How a grid is turned so that its axes run to the patient's left, back and head.

    The axes are assigned by the affine to the nearest anatomical ones, so an oblique acquisition is shown along its
    own axes.
    """

    shape: tuple[int, int, int]
    spacing_mm: tuple[float, float, float]
    transform: Array

    @classmethod
    def of(cls, affine: npt.NDArray[np.float64], shape: tuple[int, ...]) -> "Orientation":
        """Derive the orientation of a grid.

        Parameters
        ----------
        affine : ndarray of shape (4, 4)
            Index to RAS in mm.
        shape : tuple of 3 int
            Size of the grid.
        """
        transform = nib.orientations.ornt_transform(
            nib.orientations.io_orientation(affine), nib.orientations.axcodes2ornt("LPS")
        )
        sources = [int(np.flatnonzero(transform[:, 0] == axis)[0]) for axis in range(3)]
        lengths = np.linalg.norm(affine[:3, :3], axis=0)
        left, back, head = sources
        return cls(
            (shape[left], shape[back], shape[head]),
            (float(lengths[left]), float(lengths[back]), float(lengths[head])),
            transform,
        )

    def turned(self, volume: Array) -> Array:
        """Return a view of a volume on the grid with axes to the patient's left, back and head."""
        return np.asarray(nib.orientations.apply_orientation(volume, self.transform))

    def turned_index(self, index: npt.NDArray[np.float64], shape: tuple[int, ...]) -> npt.NDArray[np.float64]:
        """Return where voxel indices of the grid, shape (..., 3), lie in the turned grid."""
        result = np.empty_like(index, dtype=np.float64)
        for source, (target, flip) in enumerate(self.transform):
            values = index[..., source]
            result[..., int(target)] = values if flip > 0 else shape[source] - 1 - values
        return result

    def size_mm(self, plane: Plane) -> tuple[float, float]:
        """Return width and height of the image of a plane in mm."""
        extents = [n * step for n, step in zip(self.shape, self.spacing_mm, strict=True)]
        width, height = (extent for axis, extent in enumerate(extents) if axis != _FIXED_AXIS[plane])
        return width, height

    def pixel_mm(self, plane: Plane) -> tuple[float, float]:
        """Return width and height of a pixel of a plane in mm."""
        width, height = (step for axis, step in enumerate(self.spacing_mm) if axis != _FIXED_AXIS[plane])
        return width, height


def plane_image(turned: Array, plane: Plane, centre: tuple[int, int, int]) -> Array:
    """Cut a plane out of a turned volume.

    Parameters
    ----------
    turned : ndarray of shape (left, back, head)
        Volume from `Orientation.turned`.
    plane : Plane
        Which plane.
    centre : tuple of 3 int
        Voxel of the turned volume that the plane goes through.

    Returns
    -------
    ndarray of shape (rows, columns)
        Image with its first row at the top.
    """
    axis = _FIXED_AXIS[plane]
    image = np.asarray(np.take(turned, centre[axis], axis=axis)).T
    return image if plane is Plane.AXIAL else image[::-1]
