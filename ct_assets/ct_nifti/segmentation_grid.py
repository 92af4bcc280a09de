"""Where a SEG frame or a contour lies on the CT's grid: same lattice, or not ours."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
import numpy.typing as npt

from ct_assets.ct_nifti.geometry import POSITION_TOLERANCE_MM
from ct_assets.ct_nifti.record import CtRecord

Vector = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

_LPS_FROM_RAS = np.asarray([-1.0, -1.0, 1.0])


class OffGridError(ValueError):
    """A frame or contour that does not lie on the slices of the CT, with what differs."""


@dataclass(frozen=True)
class FramePlane:
    """Plane of one SEG frame.

    ``position`` is its ImagePositionPatient (mm, LPS), ``orientation`` the six cosines, ``pixel_spacing`` row and
    column spacing in mm, ``shape`` rows and columns.
    """

    position: Vector
    orientation: Vector
    pixel_spacing: Vector
    shape: tuple[int, int]

    def centres(self) -> Vector:
        """Positions of the first pixel, the last of the first row and the last of the first column, shape (3, 3)."""
        along_row = self.orientation[:3] * self.pixel_spacing[1] * (self.shape[1] - 1)
        along_column = self.orientation[3:] * self.pixel_spacing[0] * (self.shape[0] - 1)
        return np.stack([self.position, self.position + along_row, self.position + along_column])


class CtGrid:
    """The frames of a CT in DICOM's arrangement, rebuilt from ct.json.

    Parameters
    ----------
    record : CtRecord
        ct.json of a fit series.
    """

    def __init__(self, record: CtRecord) -> None:
        assert record.affine is not None
        assert record.shape is not None
        affine = np.asarray(record.affine)
        columns, rows, _ = record.shape
        self.shape = (rows, columns)
        self._positions = record.positions_mm
        self._by_instance = {entry.sop_instance_uid: index for index, entry in enumerate(record.slices)}
        first_pixel = [columns - 1 if record.flip_columns else 0, rows - 1 if record.flip_rows else 0, 0, 1]
        self._origin = (affine @ first_pixel)[:3] * _LPS_FROM_RAS
        self._along_row = affine[:3, 0] * _LPS_FROM_RAS * (-1 if record.flip_columns else 1)
        self._along_column = affine[:3, 1] * _LPS_FROM_RAS * (-1 if record.flip_rows else 1)
        self._along_slices = affine[:3, 2] * _LPS_FROM_RAS
        normal = np.cross(self._along_row, self._along_column)
        self._normal = normal / np.linalg.norm(normal)
        self._spacing = np.asarray([np.linalg.norm(self._along_column), np.linalg.norm(self._along_row)])

    def slice_index(self, referenced: Sequence[str], plane: FramePlane | None) -> int:
        """Return the slice that a frame belongs to: by the instance it refers to, else by its position.

        Parameters
        ----------
        referenced : sequence of str
            SOPInstanceUIDs that the frame refers to.
        plane : FramePlane or None
            Its plane, if the SEG tells.

        Raises
        ------
        OffGridError
            If neither leads to a slice, or both lead to different ones.
        """
        named = {self._by_instance[uid] for uid in referenced if uid in self._by_instance}
        if plane is None and len(named) == 1:
            return named.pop()
        if plane is None:
            message = f"a frame has no position and refers to {len(named)} slices of the CT"
            raise OffGridError(message)
        nearest = self._nearest(plane.position[np.newaxis], POSITION_TOLERANCE_MM, "a frame")
        if len(named) == 1 and nearest not in named:
            message = f"a frame lies on slice {nearest} but refers to the instance of slice {named.pop()}"
            raise OffGridError(message)
        return nearest

    def contour_slice(self, points: Vector, tolerance_mm: float) -> int:
        """Return the slice that a contour is drawn on.

        Parameters
        ----------
        points : ndarray of shape (points, 3)
            Its points, mm, LPS.
        tolerance_mm : float
            Farthest that a point may lie from the slice.

        Raises
        ------
        OffGridError
            If a point lies farther.
        """
        return self._nearest(points, tolerance_mm, "it")

    def contour_pixels(self, points: Vector, slice_index: int) -> Vector:
        """Return where the points of a contour lie among the pixels of its slice.

        Parameters
        ----------
        points : ndarray of shape (points, 3)
            Points, mm, LPS.
        slice_index : int
            Their slice.

        Returns
        -------
        ndarray of shape (points, 2)
            Row and column in the arrangement of the CT's frames; the centre of the first pixel is (0, 0).
        """
        return np.asarray(self._places(points - self._along_slices * slice_index) / self._spacing)

    def _nearest(self, points: Vector, tolerance_mm: float, subject: str) -> int:
        heights = points @ self._normal
        nearest = int(np.abs(self._positions - heights.mean()).argmin())
        distance = np.abs(heights - self._positions[nearest]).max()
        if distance > tolerance_mm:
            message = f"{subject} lies {distance:.3f} mm off the nearest slice"
            raise OffGridError(message)
        return nearest

    def place(self, mask: Mask, plane: FramePlane | None) -> Mask:
        """Turn a frame to the arrangement of the CT's frames.

        Writers may store the same pixels with rows or columns reversed or exchanged (dcmqi keeps those of its NIfTI
        or NRRD input), so the frame is turned by where its corners lie.

        Parameters
        ----------
        mask : ndarray of bool, shape (rows, columns) of the frame
            Pixels.
        plane : FramePlane or None
            Its plane; none: taken as arranged like the CT.

        Returns
        -------
        ndarray of bool, shape (rows, columns) of the CT
            Pixels in the CT's arrangement.

        Raises
        ------
        OffGridError
            If size, spacing, orientation or position in the plane differ.
        """
        if plane is None:
            if mask.shape != self.shape:
                message = f"a frame has {mask.shape} pixels, the CT {self.shape}"
                raise OffGridError(message)
            return mask
        points = plane.centres()
        self._check_plane(points)
        places = self._places(points)
        rows, columns = self.shape
        for exchanged, row_step, column_step in product((False, True), (1, -1), (1, -1)):
            turned = mask.T if exchanged else mask
            corners = places[[0, 2, 1]] if exchanged else places
            first_row, last_row = (0, rows - 1)[::row_step]
            first_column, last_column = (0, columns - 1)[::column_step]
            expected = [(first_row, first_column), (first_row, last_column), (last_row, first_column)]
            apart = np.abs(corners - np.asarray(expected) * self._spacing).max()
            if turned.shape == self.shape and apart <= POSITION_TOLERANCE_MM:
                return turned[::row_step, ::column_step]
        start = np.round(places[0] / self._spacing, 3).tolist()
        message = (
            f"a frame of {mask.shape} pixels that starts at row, column {start} is no rearrangement of the CT's "
            f"{self.shape} pixels"
        )
        raise OffGridError(message)

    def _places(self, points: Vector) -> Vector:
        """Return how far down the columns and along the rows of the CT points lie, in mm, shape (points, 2)."""
        axes = np.stack([self._along_column, self._along_row], axis=1) / self._spacing
        return np.asarray((points - self._origin) @ axes)

    def _check_plane(self, points: Vector) -> None:
        heights = points @ self._normal
        if np.ptp(heights) > POSITION_TOLERANCE_MM:
            message = f"a frame is tilted against the CT's slices, {np.ptp(heights):.3f} mm from corner to corner"
            raise OffGridError(message)
