"""ct.json: whether a series is fit, its geometry, and which slice of ct.nii.gz is which DICOM instance."""

from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict

from ct_assets.store.record import Record


class UnfitSeriesError(ValueError):
    """Something downstream was asked of a series that ct_nifti found unfit."""


class SliceRecord(BaseModel):
    """One slice of ct.nii.gz and the DICOM instance that it is."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    sop_instance_uid: str
    file: str
    position_mm: float


class CtRecord(Record):
    """Content of ct.json.

    ``unfit_by_selection`` is the digest of the selection that a series failed on its headers, if it did: with another
    selection it may be fit. ``slices[k]`` describes the voxels ``[:, :, k]`` of ct.nii.gz; ``position_mm`` is the
    projection of its origin on the slice normal. ``flip_columns`` and ``flip_rows`` say whether the first and second
    voxel axis run against the DICOM columns and rows.
    """

    schema_version: Literal[1] = 1
    patient_id: str
    study_instance_uid: str
    series_instance_uid: str
    frame_of_reference_uid: str | None
    fit: bool
    reasons: tuple[str, ...] = ()
    unfit_by_selection: str | None = None
    shape: tuple[int, int, int] | None = None
    affine: tuple[tuple[float, float, float, float], ...] | None = None
    spacing_mm: tuple[float, float, float] | None = None
    flip_columns: bool = False
    flip_rows: bool = False
    slices: tuple[SliceRecord, ...] = ()
    source_digest: str
    converter: str
    converter_messages: tuple[str, ...] = ()

    @property
    def positions_mm(self) -> npt.NDArray[np.float64]:
        """Position of each slice along the normal in mm, in the order of ct.nii.gz, shape (slices,)."""
        return np.asarray([entry.position_mm for entry in self.slices])

    def to_dicom(self, volume: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Return a volume on ct.nii.gz's grid as DICOM frames.

        Parameters
        ----------
        volume : ndarray of shape (columns, rows, slices)
            Array in the voxel order of ct.nii.gz.

        Returns
        -------
        ndarray of shape (slices, rows, columns)
            View whose frame k is pixel for pixel the instance ``slices[k]``.
        """
        return self._flipped(volume).transpose(2, 1, 0)

    def from_dicom(self, frames: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Return DICOM frames in the order of ``slices`` as a volume on ct.nii.gz's grid.

        Parameters
        ----------
        frames : ndarray of shape (slices, rows, columns)
            Frame k belongs to the instance ``slices[k]``.

        Returns
        -------
        ndarray of shape (columns, rows, slices)
            View in the voxel order of ct.nii.gz.
        """
        return self._flipped(frames.transpose(2, 1, 0))

    def _flipped(self, volume: npt.NDArray[Any]) -> npt.NDArray[Any]:
        columns = slice(None, None, -1 if self.flip_columns else 1)
        rows = slice(None, None, -1 if self.flip_rows else 1)
        return volume[columns, rows]


def read_ct_record(path: Path, *, require_fit: bool = True) -> CtRecord:
    """Read ct.json.

    Parameters
    ----------
    path : Path
        File that `CtRecord.write` made.
    require_fit : bool, default True
        Refuse a series that is unfit.

    Raises
    ------
    FileNotFoundError, RecordError
        If ct_nifti has not been materialized, or its record is damaged.
    UnfitSeriesError
        If the series is unfit and `require_fit`.
    """
    record = CtRecord.read(path, "ct_nifti")
    if require_fit and not record.fit:
        message = f"series {record.series_instance_uid} is unfit: {'; '.join(record.reasons)}"
        raise UnfitSeriesError(message)
    return record
