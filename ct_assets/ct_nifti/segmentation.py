"""DICOM SEG back to arrays on the grid of ct.nii.gz: our own label maps, and experts' segments by their label."""

from collections.abc import Iterator, Mapping, Sequence
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

SEGMENTATION_STORAGE = "1.2.840.10008.5.1.4.1.1.66.4"
"""SOP Class UID of BINARY and FRACTIONAL SEG."""

LUNGS = "lungs"
"""Key of the lungs among the masks of `read_expert`."""

Mask = npt.NDArray[np.bool_]


class UnusableSegmentationError(ValueError):
    """A SEG that cannot be read onto the grid of a CT; the message names the file and the reason."""


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
) -> dict[str, Mask]:
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
    dict of str to ndarray of bool, shape (columns, rows, slices)
        A mask for each organ, and `LUNGS`, that the SEG has a segment of; others are absent.

    Raises
    ------
    UnusableSegmentationError
        If the file is no BINARY or FRACTIONAL SEG, or lies on another grid.
    """
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
    return {name: np.ascontiguousarray(record.from_dicom(mask)) for name, mask in masks.items()}


def _read(path: Path) -> pydicom.Dataset:
    try:
        dataset = pydicom.dcmread(path)
    except (InvalidDicomError, EOFError) as error:
        message = f"{path}: is not a complete DICOM file"
        raise UnusableSegmentationError(message) from error
    if dataset.get("SOPClassUID") != SEGMENTATION_STORAGE:
        message = f"{path}: is no DICOM Segmentation (SOP class {dataset.get('SOPClassUID')})"
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
    """Yield the wanted frames that have pixels, one decoded at a time."""
    grid = CtGrid(record)
    shared = dataset.SharedFunctionalGroupsSequence[0] if dataset.get("SharedFunctionalGroupsSequence") else None
    groups = [_Groups(item, shared) for item in dataset.PerFrameFunctionalGroupsSequence]
    indices = [index for index, group in enumerate(groups) if segments is None or group.segment in segments]
    same_frame_of_reference = dataset.get("FrameOfReferenceUID") in (None, "", record.frame_of_reference_uid)
    threshold = 1 if dataset.SegmentationType == "BINARY" else int(dataset.MaximumFractionalValue) / 2
    pixels = iter_pixels(dataset, indices=indices) if indices else iter(())
    for index, frame in zip(indices, pixels, strict=True):
        group = groups[index]
        try:
            plane = group.plane((int(dataset.Rows), int(dataset.Columns)))
            slice_index = grid.slice_index(group.referenced, plane)
            named = record.slices[slice_index].sop_instance_uid in group.referenced
            if not named and not same_frame_of_reference and record.frame_of_reference_uid:
                message = "frames refer to none of the CT's instances and lie in another frame of reference"
                raise OffGridError(message)
            mask = grid.place(np.asarray(frame) >= threshold, plane)
        except OffGridError as error:
            message = f"{path}: does not fit series {record.series_instance_uid}: frame {index + 1}: {error}"
            raise UnusableSegmentationError(message) from error
        yield SegmentFrame(group.segment, slice_index, mask)


class _Groups:
    """Functional groups of one frame, looked up per frame first and shared second."""

    def __init__(self, item: pydicom.Dataset, shared: pydicom.Dataset | None) -> None:
        self._items = [item] if shared is None else [item, shared]

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
