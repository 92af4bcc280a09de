"""The segments that organs were measured on: of our SEGs by label, of an expert's by structure."""

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pydicom
from pydicom.errors import InvalidDicomError

from ct_assets.ct_nifti.record import CtRecord
from ct_assets.ct_nifti.structure import ExpertStructure
from ct_assets.dicom.edition import ObjectReference, reference_of
from ct_assets.dicom.written import WrittenObject
from ct_assets.organs import ORGANS
from ct_assets.store.digest import file_digest


class MismatchedSegmentationError(ValueError):
    """A SEG that is not the one the features were measured on; the message names the file."""


NO_SEGMENTS = "the expert's structures are an RTSTRUCT, which has no segments to refer to"
"""Why there is no report of an expert who drew no SEG: a group of TID 1411 refers to a segment."""


@dataclass(frozen=True)
class SegmentReference:
    """One segment of a SEG; ``segmentation`` is how the table of features names what was measured."""

    seg: ObjectReference
    number: int
    segmentation: str


def model_segments(
    path: Path, record: CtRecord, label_map_digest: str, written: WrittenObject | None = None
) -> dict[int, SegmentReference]:
    """Return the segments of a SEG of ours by label.

    Parameters
    ----------
    path : Path
        SEG file.
    record : CtRecord
        ct.json of the series that it should segment.
    label_map_digest : str
        SHA-256 of the label map that it was made from.
    written : WrittenObject, optional
        What dicom_seg wrote.

    Raises
    ------
    MismatchedSegmentationError
        If the SEG is not the file that was written, is of another series or does not describe every organ.
    """
    if written is not None and written.sha256 != (file_digest(path) if path.is_file() else None):
        message = f"{path}: is not the file that was written; materialize dicom_seg again"
        raise MismatchedSegmentationError(message)
    if not path.is_file():
        return {}
    try:
        segmentation = pydicom.dcmread(path, stop_before_pixels=True)
        reference = reference_of(segmentation)
    except (InvalidDicomError, AttributeError, EOFError, struct.error) as error:
        message = f"{path}: is damaged ({error}); materialize dicom_seg again"
        raise MismatchedSegmentationError(message) from error
    referenced = {str(item.SeriesInstanceUID) for item in segmentation.get("ReferencedSeriesSequence", [])}
    if record.series_instance_uid not in referenced:
        message = f"{path}: segments another series than {record.series_instance_uid}; materialize dicom_seg again"
        raise MismatchedSegmentationError(message)
    numbers = {int(segment.SegmentNumber) for segment in segmentation.get("SegmentSequence", [])}
    undescribed = set(ORGANS) - numbers
    if undescribed:
        message = f"{path}: does not describe the segments {sorted(undescribed)}; materialize dicom_seg again"
        raise MismatchedSegmentationError(message)
    return {number: SegmentReference(reference, number, label_map_digest) for number in sorted(numbers)}


def expert_segments(structures: Mapping[str, ExpertStructure]) -> dict[int, SegmentReference]:
    """Return the segments of an expert by the label of the organ.

    Parameters
    ----------
    structures : mapping of str to ExpertStructure
        What an expert drew, by organ. One that is spread over several segments has no segment that a group could
        refer to (TID 1411 takes one), nor has one that is from an RTSTRUCT: both are left out.
    """
    drawn = {label: structures[organ] for label, organ in ORGANS.items() if organ in structures}
    return {
        label: SegmentReference(structure.source, structure.segments[0], structure.digest)
        for label, structure in drawn.items()
        if len(structure.segments) == 1
    }
