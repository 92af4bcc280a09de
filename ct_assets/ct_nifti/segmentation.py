"""DICOM SEG back to arrays on the grid of ct.nii.gz: our own label maps, and experts' segments by their label."""

import struct
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pydicom
from pydicom.errors import InvalidDicomError
from pydicom.pixels.utils import iter_pixels

from ct_assets.collection import Organ
from ct_assets.ct_nifti.record import CtRecord
from ct_assets.ct_nifti.segmentation_grid import CtGrid, FramePlane, OffGridError
from ct_assets.dicom.edition import ObjectReference, reference_of
from ct_assets.store.digest import file_digest

SEGMENTATION_STORAGE = "1.2.840.10008.5.1.4.1.1.66.4"
"""SOP Class UID of BINARY and FRACTIONAL SEG."""

LUNGS = "lungs"
"""Key of the lungs among the masks of `read_expert`."""

_REQUIRED = ("Rows", "Columns", "PixelData", "SegmentationType", "SegmentSequence", "PerFrameFunctionalGroupsSequence")

Mask = npt.NDArray[np.bool_]


class UnusableSegmentationError(ValueError):
    """A SEG that cannot be read onto the grid of a CT; the message names the file and the reason."""


@dataclass(frozen=True)
class ExpertStructure:
    """What an expert drew of a structure: a mask, shape (columns, rows, slices), and the segments that it is in.

    ``digest`` is the SHA-256 of the SEG's file.
    """

    mask: Mask
    seg: ObjectReference
    segments: tuple[int, ...]
    digest: str


@dataclass(frozen=True)
class SegmentFrame:
    """One frame: its segment, the slice of ct.nii.gz, and its pixels in the arrangement of that CT instance."""

    segment: int
    slice_index: int
    mask: Mask


def read_seg(path: Path, record: CtRecord) -> npt.NDArray[np.uint8]:
    """Read a SEG of organs as a label map, SegmentNumber becoming label.

    Parameters
    ----------
    path : Path
        SEG file.
    record : CtRecord
        ct.json of the segmented series.

    Returns
    -------
    ndarray of uint8, shape (columns, rows, slices)
        Labels on the grid of ct.nii.gz.

    Raises
    ------
    UnusableSegmentationError
        If the file is no BINARY or FRACTIONAL SEG, lies on another grid, has overlapping segments, or has more than
        255 of them.
    """
    with _complete(path):
        return _label_map(path, record)


def _label_map(path: Path, record: CtRecord) -> npt.NDArray[np.uint8]:
    dataset = _read(path)
    labels = np.zeros(_frame_shape(record), dtype=np.uint8)
    for frame in _frames(path, dataset, record):
        plane = labels[frame.slice_index]
        if frame.segment > np.iinfo(np.uint8).max:
            message = f"{path}: segment {frame.segment} does not fit a label map"
            raise UnusableSegmentationError(message)
        if np.any(plane[frame.mask]):
            message = f"{path}: segments overlap on slice {frame.slice_index}, so they are no label map"
            raise UnusableSegmentationError(message)
        plane[frame.mask] = frame.segment
    return np.ascontiguousarray(record.from_dicom(labels))


def read_expert(
    path: Path, record: CtRecord, structures: Mapping[Organ, str], lungs: Sequence[str] = ()
) -> dict[str, ExpertStructure]:
    """Read the segments of an expert that a collection asks for, by SegmentLabel; they may overlap.

    Parameters
    ----------
    path : Path
        SEG file.
    record : CtRecord
        ct.json of the segmented series.
    structures : mapping of organ to str
        SegmentLabel of each organ.
    lungs : sequence of str
        SegmentLabels that together are the lungs.

    Returns
    -------
    dict of str to ExpertStructure
        Each organ, and `LUNGS`, that the SEG has a segment of, on the grid of ct.nii.gz; others are absent.

    Raises
    ------
    UnusableSegmentationError
        If the file is no BINARY or FRACTIONAL SEG, or lies on another grid.
    """
    with _complete(path):
        return _structures(path, record, structures, lungs)


def _structures(
    path: Path, record: CtRecord, structures: Mapping[Organ, str], lungs: Sequence[str]
) -> dict[str, ExpertStructure]:
    dataset = _read(path)
    names = [(organ, label) for organ, label in structures.items()] + [(LUNGS, label) for label in lungs]
    wanted = {
        int(segment.SegmentNumber): [name for name, label in names if label == str(segment.SegmentLabel).strip()]
        for segment in dataset.SegmentSequence
    }
    masks: dict[str, Mask] = {}
    for frame_names in wanted.values():
        for name in frame_names:
            masks.setdefault(name, np.zeros(_frame_shape(record), dtype=np.bool_))
    segments = {number for number, frame_names in wanted.items() if frame_names}
    for frame in _frames(path, dataset, record, segments):
        for name in wanted[frame.segment]:
            masks[name][frame.slice_index] |= frame.mask
    reference, digest = reference_of(dataset), file_digest(path)
    return {
        name: ExpertStructure(
            mask=np.ascontiguousarray(record.from_dicom(mask)),
            seg=reference,
            segments=tuple(sorted(number for number, frame_names in wanted.items() if name in frame_names)),
            digest=digest,
        )
        for name, mask in masks.items()
    }


@contextmanager
def _complete(path: Path) -> Iterator[None]:
    """Name the file that lacks something that every SEG has."""
    try:
        yield
    except (AttributeError, AssertionError, IndexError, KeyError, TypeError) as error:
        message = f"{path}: lacks something that every SEG has ({type(error).__name__}: {error})"
        raise UnusableSegmentationError(message) from error


def _read(path: Path) -> pydicom.Dataset:
    try:
        dataset = pydicom.dcmread(path)
        for _ in dataset.iterall():  # pydicom parses sequences when they are looked at
            pass
    except (InvalidDicomError, EOFError, OSError, struct.error) as error:
        message = f"{path}: is not a complete DICOM file ({error})"
        raise UnusableSegmentationError(message) from error
    if dataset.get("SOPClassUID") != SEGMENTATION_STORAGE:
        message = f"{path}: is no DICOM Segmentation (SOP class {dataset.get('SOPClassUID')})"
        raise UnusableSegmentationError(message)
    absent = [keyword for keyword in _REQUIRED if not dataset.get(keyword)]
    if absent:
        message = f"{path}: lacks {', '.join(absent)}"
        raise UnusableSegmentationError(message)
    return dataset


def _frame_shape(record: CtRecord) -> tuple[int, int, int]:
    """Return slices, rows, columns."""
    assert record.shape is not None
    columns, rows, slices = record.shape
    return slices, rows, columns


def _frames(
    path: Path, dataset: pydicom.Dataset, record: CtRecord, segments: set[int] | None = None
) -> Iterator[SegmentFrame]:
    """Yield the wanted frames, one decoded at a time and none whose size is not the CT's."""
    grid = CtGrid(record)
    shape = (int(dataset.Rows), int(dataset.Columns))
    if sorted(shape) != sorted(grid.shape):
        message = f"{path}: does not fit series {record.series_instance_uid}: {shape} pixels, the CT has {grid.shape}"
        raise UnusableSegmentationError(message)
    groups = [_Groups(item, dataset) for item in dataset.PerFrameFunctionalGroupsSequence]
    indices = [index for index, group in enumerate(groups) if segments is None or group.segment in segments]
    for index, mask in zip(indices, _masks(path, dataset, indices), strict=True):
        group = groups[index]
        try:
            plane = group.plane(shape)
            slice_index = grid.slice_index(group.referenced, plane)
            _check_frame_of_reference(dataset, record, slice_index, group.referenced)
            yield SegmentFrame(group.segment, slice_index, grid.place(mask, plane))
        except OffGridError as error:
            message = f"{path}: does not fit series {record.series_instance_uid}: frame {index + 1}: {error}"
            raise UnusableSegmentationError(message) from error


def _masks(path: Path, dataset: pydicom.Dataset, indices: list[int]) -> Iterator[Mask]:
    threshold = 1.0 if dataset.SegmentationType == "BINARY" else int(dataset.MaximumFractionalValue) / 2
    try:
        for frame in iter_pixels(dataset, indices=indices) if indices else ():
            yield np.asarray(frame) >= threshold
    except (AttributeError, RuntimeError, ValueError) as error:
        message = f"{path}: its pixels cannot be decoded: {error}"
        raise UnusableSegmentationError(message) from error


def _check_frame_of_reference(
    dataset: pydicom.Dataset, record: CtRecord, slice_index: int, referenced: tuple[str, ...]
) -> None:
    """Positions mean the same only in the same frame of reference, unless the frame names the instance itself."""
    frames_of_reference = {dataset.get("FrameOfReferenceUID"), record.frame_of_reference_uid} - {None, ""}
    if len(frames_of_reference) > 1 and record.slices[slice_index].sop_instance_uid not in referenced:
        message = "refers to no instance of the CT and lies in another frame of reference"
        raise OffGridError(message)


class _Groups:
    """Functional groups of one frame, looked up per frame first and shared second."""

    def __init__(self, item: pydicom.Dataset, dataset: pydicom.Dataset) -> None:
        self._items = [item, *dataset.get("SharedFunctionalGroupsSequence", [])]

    @property
    def segment(self) -> int:
        return int(self._first("SegmentIdentificationSequence").ReferencedSegmentNumber)

    @property
    def referenced(self) -> tuple[str, ...]:
        return tuple(
            str(source.ReferencedSOPInstanceUID)
            for item in self._items
            for derivation in item.get("DerivationImageSequence", [])
            for source in derivation.get("SourceImageSequence", [])
        )

    def plane(self, shape: tuple[int, int]) -> FramePlane | None:
        position = self._find("PlanePositionSequence")
        orientation = self._find("PlaneOrientationSequence")
        measures = self._find("PixelMeasuresSequence")
        if position is None or orientation is None or measures is None:
            return None
        return FramePlane(
            position=np.asarray(position.ImagePositionPatient, dtype=np.float64),
            orientation=np.asarray(orientation.ImageOrientationPatient, dtype=np.float64),
            pixel_spacing=np.asarray(measures.PixelSpacing, dtype=np.float64),
            shape=shape,
        )

    def _find(self, keyword: str) -> pydicom.Dataset | None:
        return next((item[keyword].value[0] for item in self._items if item.get(keyword)), None)

    def _first(self, keyword: str) -> pydicom.Dataset:
        found = self._find(keyword)
        assert found is not None
        return found
