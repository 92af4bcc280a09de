"""The frames of a DICOM SEG on the grid of a CT: read, decoded one at a time, and turned to the CT's arrangement."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pydicom
from pydicom.pixels.utils import iter_pixels

from ct_assets.ct_nifti.record import CtRecord
from ct_assets.ct_nifti.segmentation_grid import CtGrid, FramePlane, OffGridError
from ct_assets.ct_nifti.structure import Mask, UnusableSegmentationError
from ct_assets.dicom.read import read_dicom

SEGMENTATION_STORAGE = "1.2.840.10008.5.1.4.1.1.66.4"
"""SOP Class UID of BINARY and FRACTIONAL SEG."""

_REQUIRED = ("Rows", "Columns", "PixelData", "SegmentationType", "SegmentSequence", "PerFrameFunctionalGroupsSequence")


@dataclass(frozen=True)
class SegmentFrame:
    """One frame: its segment, the slice of ct.nii.gz, and its pixels in the arrangement of that CT instance."""

    segment: int
    slice_index: int
    mask: Mask


def read_segmentation(path: Path) -> pydicom.Dataset:
    """Read a SEG with everything that its frames need.

    Parameters
    ----------
    path : Path
        SEG file.

    Raises
    ------
    UnusableSegmentationError
        If the file is no complete DICOM file, no SEG, or lacks something.
    """
    try:
        dataset = read_dicom(path)
        for _ in dataset.iterall():  # pydicom parses sequences when they are looked at
            pass
    except Exception as error:  # pydicom raises errors of many kinds on damage
        message = f"{path}: is not a complete DICOM file ({error})"
        raise UnusableSegmentationError(message) from error
    if dataset.get("SOPClassUID") != SEGMENTATION_STORAGE:
        message = f"{path}: is no DICOM Segmentation (SOP class {dataset.get('SOPClassUID')})"
        raise UnusableSegmentationError(message)
    syntax = dataset.file_meta.TransferSyntaxUID
    if syntax.is_encapsulated:  # decoders of JPEG believe what size a frame claims: 14 GB, or abort
        message = f"{path}: its pixels are compressed ({syntax.name}); decompress it, such as with gdcmconv --raw"
        raise UnusableSegmentationError(message)
    absent = [keyword for keyword in _REQUIRED if not dataset.get(keyword)]
    if absent:
        message = f"{path}: lacks {', '.join(absent)}"
        raise UnusableSegmentationError(message)
    return dataset


def segment_frames(
    path: Path, dataset: pydicom.Dataset, record: CtRecord, segments: set[int] | None = None
) -> Iterator[SegmentFrame]:
    """Yield the wanted frames, one decoded at a time and none whose size is not the CT's.

    Parameters
    ----------
    path : Path
        SEG file, for messages.
    dataset : Dataset
        What `read_segmentation` gives.
    record : CtRecord
        ct.json of the segmented series.
    segments : set of int, optional
        SegmentNumbers that are wanted; default: all.

    Raises
    ------
    UnusableSegmentationError
        If a frame cannot be decoded or lies on another grid.
    """
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
