"""A CT series as DICOM has it: headers read once, instances ordered by geometry."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pydicom
from pydicom.errors import InvalidDicomError

from ct_assets.dicom.read import read_dicom

Vector = npt.NDArray[np.float64]

CT_IMAGE_STORAGE = "1.2.840.10008.5.1.4.1.1.2"
"""SOP Class UID of classic single-frame CT images."""

EQUAL_WITHIN = 1e-4
"""Largest difference within a series of a direction cosine, or of a pixel spacing in mm."""

_VALUES = {"ImagePositionPatient": 3, "ImageOrientationPatient": 6, "PixelSpacing": 2}
_LPS_FROM_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])


class UnreadableDicomError(ValueError):
    """A file that is no readable DICOM image header; the message names it."""


class InconsistentSeriesError(ValueError):
    """Instances that cannot be one volume, with the reason."""


def read_header(path: Path) -> pydicom.Dataset:
    """Read the header of a DICOM file, without its pixels.

    Parameters
    ----------
    path : Path
        File to read.

    Raises
    ------
    UnreadableDicomError
        If the file is no DICOM file, is cut off within its header, or cannot be opened.
    """
    try:
        dataset = read_dicom(path, stop_before_pixels=True)
        for element in dataset.iterall():
            _ = element.value
    except InvalidDicomError as error:
        message = f"{path}: is not a DICOM file; remove it or exclude its folder"
        raise UnreadableDicomError(message) from error
    except Exception as error:
        message = f"{path}: cannot be read ({type(error).__name__}: {error}); copy it again from its source"
        raise UnreadableDicomError(message) from error
    if header_is_cut_off(dataset):
        message = f"{path}: is cut off in its header; copy it again from its source"
        raise UnreadableDicomError(message)
    return dataset


def header_is_cut_off(dataset: pydicom.Dataset) -> bool:
    """Tell whether a file ends within its header, which pydicom reads without complaint.

    Parameters
    ----------
    dataset : Dataset
        What was read, with its file meta information.
    """
    meta = dataset.file_meta
    if meta.get("TransferSyntaxUID") is None:
        return True
    return str(meta.get("MediaStorageSOPClassUID")) == CT_IMAGE_STORAGE and dataset.get("Columns") is None


def slice_normal(orientation: Sequence[float]) -> Vector:
    """Return the unit normal of a slice: row cosines cross column cosines (PS3.3 C.7.6.2.1.1).

    Parameters
    ----------
    orientation : sequence of 6 float
        ImageOrientationPatient.

    Returns
    -------
    ndarray of shape (3,)
        Unit vector in the patient frame (LPS).
    """
    cosines = np.asarray(orientation, dtype=np.float64)
    normal = np.cross(cosines[:3], cosines[3:])
    return np.asarray(normal / np.linalg.norm(normal), dtype=np.float64)


@dataclass(frozen=True)
class CtInstance:
    """One slice: its identity, file, header and place."""

    path: Path
    header: pydicom.Dataset = field(repr=False)

    @cached_property
    def sop_instance_uid(self) -> str:
        """SOPInstanceUID."""
        return str(self.header.SOPInstanceUID)

    @cached_property
    def origin(self) -> Vector:
        """ImagePositionPatient in mm, LPS, shape (3,)."""
        return np.asarray(self.header.ImagePositionPatient, dtype=np.float64)


@dataclass(frozen=True)
class CtSeries:
    """The instances of a CT series, ordered by increasing position along the slice normal."""

    instances: tuple[CtInstance, ...]

    @classmethod
    def read(cls, paths: Sequence[Path]) -> "CtSeries":
        """Read the headers of a series and order them.

        Parameters
        ----------
        paths : sequence of Path
            One file per slice, in any order.

        Raises
        ------
        UnreadableDicomError
            If a file cannot be read.
        InconsistentSeriesError
            If there is no file, or attributes that place the slices are missing or differ.
        """
        instances = [CtInstance(path, read_header(path)) for path in paths]
        if not instances:
            message = "the series has no files"
            raise InconsistentSeriesError(message)
        for keyword in ("SeriesInstanceUID", "StudyInstanceUID", "Rows", "Columns"):
            values = {str(instance.header.get(keyword)) for instance in instances}
            if len(values) > 1 or "None" in values:
                fault = "is missing" if values == {"None"} else f"differs within the series ({len(values)} values)"
                message = f"{keyword} {fault}"
                raise InconsistentSeriesError(message)
        for keyword in ("ImageOrientationPatient", "PixelSpacing"):
            _require_equal_numbers(keyword, instances)
        _numbers("ImagePositionPatient", instances)
        normal = slice_normal(instances[0].header.ImageOrientationPatient)
        return cls(tuple(sorted(instances, key=lambda i: (float(i.origin @ normal), i.sop_instance_uid))))

    @classmethod
    def cached(cls, paths: Sequence[Path]) -> "CtSeries":
        """Read a series as `read` does, or return it if it is the one read last and its files have not changed."""
        return _read_once(tuple((path, path.stat().st_mtime_ns, path.stat().st_size) for path in paths))

    @property
    def header(self) -> pydicom.Dataset:
        """Header of the first slice, for attributes that hold for the whole series."""
        return self.instances[0].header

    @cached_property
    def series_instance_uid(self) -> str:
        """SeriesInstanceUID."""
        return str(self.header.SeriesInstanceUID)

    @cached_property
    def normal(self) -> Vector:
        """Unit slice normal, LPS, shape (3,)."""
        return slice_normal(self.header.ImageOrientationPatient)

    @cached_property
    def positions(self) -> Vector:
        """Position of each slice along the normal in mm, increasing, shape (slices,)."""
        return np.asarray([float(instance.origin @ self.normal) for instance in self.instances])

    @property
    def shape(self) -> tuple[int, int, int]:
        """Slices, rows, columns."""
        return len(self.instances), int(self.header.Rows), int(self.header.Columns)

    @cached_property
    def affine(self) -> Vector:
        """Matrix from index (column, row, slice, 1) to the patient frame (LPS, mm), shape (4, 4).

        The slice axis is the mean step from the first to the last origin, so a regular series is exact
        (PS3.3 C.7.6.2.1.1).
        """
        row_spacing, column_spacing = (float(value) for value in self.header.PixelSpacing)
        cosines = np.asarray(self.header.ImageOrientationPatient, dtype=np.float64)
        steps = max(len(self.instances) - 1, 1)
        affine = np.eye(4)
        affine[:3, 0] = cosines[:3] * column_spacing
        affine[:3, 1] = cosines[3:] * row_spacing
        affine[:3, 2] = (self.instances[-1].origin - self.instances[0].origin) / steps
        affine[:3, 3] = self.instances[0].origin
        return affine

    @property
    def ras_affine(self) -> Vector:
        """The same matrix to NIfTI's frame (RAS, mm), shape (4, 4)."""
        return np.asarray(_LPS_FROM_RAS @ self.affine)


def _numbers(keyword: str, instances: Sequence[CtInstance]) -> Vector:
    """Return an attribute of all instances as one array, shape (instances, values)."""
    for instance in instances:
        value = instance.header.get(keyword)
        if value is None or len(value) != _VALUES[keyword]:
            message = f"{keyword} is missing or has not {_VALUES[keyword]} values in {instance.path}"
            raise InconsistentSeriesError(message)
    return np.asarray([instance.header.get(keyword) for instance in instances], dtype=np.float64)


def _require_equal_numbers(keyword: str, instances: Sequence[CtInstance]) -> None:
    """Compare as numbers: `1` and `1.000` are the same, and so is what differs by less than it is written with."""
    spread = float(np.ptp(_numbers(keyword, instances), axis=0).max())
    if not spread <= EQUAL_WITHIN:
        message = f"{keyword} differs within the series by up to {spread:g}"
        raise InconsistentSeriesError(message)


@lru_cache(maxsize=1)
def _read_once(files: tuple[tuple[Path, int, int], ...]) -> CtSeries:
    return CtSeries.read([path for path, _, _ in files])
