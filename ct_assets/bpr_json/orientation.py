"""How bpreg turns a volume before it scores slices, and which score belongs to which slice of ct.nii.gz."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ct_assets.bpr_json.unsuitable import UnsuitableVolumeError


@dataclass(frozen=True)
class BpregOrientation:
    """The turn that bpreg gives a volume.

    ``axes`` are the voxel axes that run nearest to x, y and z; ``reversed`` says that all three are then reversed, so
    that the slices run from the feet to the head.
    """

    axes: tuple[int, int, int]
    reversed: bool

    @classmethod
    def of(cls, affine: npt.NDArray[np.float64]) -> "BpregOrientation":
        """Derive the turn from an affine, as `bpreg.preprocessing.nifti2npy.Nifti2Npy.reorder_volume` does.

        bpreg reverses a volume whose slice axis points to the feet, but looks for that axis among the rows of the
        third column of the affine; of a volume whose slices are not axial it therefore finds the direction only by
        chance. Scores of such slices belong to no instance, so only their parity with bpreg depends on it.

        Parameters
        ----------
        affine : ndarray of shape (4, 4)
            Index to RAS in mm.

        Raises
        ------
        UnsuitableVolumeError
            If the affine is not finite, or no axis of the volume, or more than one, runs nearest along the body.
        """
        directions = affine[:3, :3]
        if not np.isfinite(directions).all():
            message = "the geometry of the volume is not finite"
            raise UnsuitableVolumeError(message)
        nearest = np.argmax(np.abs(directions), axis=0)
        if np.count_nonzero(nearest == 2) != 1:
            message = "the volume lies so obliquely that the axis along the body cannot be told"
            raise UnsuitableVolumeError(message)
        first, second, third = (int(axis) for axis in np.argsort(nearest))
        return cls((first, second, third), bool(directions[third, 2] < 0))

    @property
    def axial(self) -> bool:
        """Whether the slices that are scored are the slices of the series."""
        return self.axes[2] == 2

    def turned(self, volume: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Return a view of a volume with axes x, y, z, as bpreg takes it."""
        view = volume.transpose(self.axes)
        return view[::-1, ::-1, ::-1] if self.reversed else view

    def slices_of_scores(self, scores: int) -> npt.NDArray[np.int64]:
        """Return the slice of ct.nii.gz of each of so many scores; only where `axial`."""
        indices = np.arange(scores)
        return indices[::-1] if self.reversed else indices
