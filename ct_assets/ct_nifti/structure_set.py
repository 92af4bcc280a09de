"""DICOM RTSTRUCT to masks on the grid of ct.nii.gz: the contours of experts' ROIs by name, placed by geometry."""

import logging
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pydicom

from ct_assets.ct_nifti.contours import effort, filled
from ct_assets.ct_nifti.record import CtRecord
from ct_assets.ct_nifti.segmentation_grid import CtGrid, OffGridError
from ct_assets.ct_nifti.structure import ExpertStructure, Mask, UnusableSegmentationError, no_frames, usable
from ct_assets.dicom.edition import reference_of
from ct_assets.dicom.read import read_dicom
from ct_assets.dicom.references import referenced_series
from ct_assets.organs import LUNGS, Organ
from ct_assets.store.digest import file_digest

logger = logging.getLogger(__name__)

RT_STRUCTURE_SET_STORAGE = "1.2.840.10008.5.1.4.1.1.481.3"
"""SOP Class UID of RTSTRUCT."""

SLICE_TOLERANCE = 0.1
"""Farthest that a point of a contour may lie from its slice, as a fraction of the distance between slices: enough for
coordinates in tenths of a millimetre."""

MOST_POINTS = 20_000
"""Most points of a contour: several times what follows every pixel around an organ."""

MOST_EFFORT = 10_000_000_000
"""Most `effort` of all contours that are wanted, which is minutes: ten times that of lungs in a CT of 300 slices."""

FARTHEST_MM = 100_000.0
"""Largest coordinate that is taken for one; a contour that leaves the image within it is clipped."""

_CLOSED = frozenset({"CLOSED_PLANAR", "CLOSEDPLANAR_XOR"})
_FEWEST_POINTS = 3


@dataclass(frozen=True)
class _Roi:
    """A region of interest that is wanted, and the structures that it is, or is part of."""

    number: int
    name: str
    structures: tuple[str, ...]
    frame_of_reference_uid: str | None


def read_structure_set(
    path: Path, record: CtRecord, structures: Mapping[Organ, str], lungs: Sequence[str] = ()
) -> dict[str, ExpertStructure]:
    """Read the regions of interest (ROIs) of an expert that a collection asks for, by ROIName; they may overlap.

    Each contour belongs to the slice that it lies on. Several on a slice combine by the even-odd rule, as
    CLOSEDPLANAR_XOR asks for, and as CLOSED_PLANAR with a hole drawn as a contour of its own is meant. Points and open
    contours enclose nothing: they are ignored with a warning.

    Parameters
    ----------
    path : Path
        RTSTRUCT file.
    record : CtRecord
        ct.json of the series that was drawn on.
    structures : mapping of organ to str
        ROIName of each organ.
    lungs : sequence of str
        ROINames that together are the lungs.

    Returns
    -------
    dict of str to ExpertStructure
        Each organ, and `LUNGS`, that the RTSTRUCT has a closed contour of, on the grid of ct.nii.gz; others are absent.

    Raises
    ------
    UnusableSegmentationError
        If the file is no RTSTRUCT of the series, or a contour of these ROIs is malformed or lies on no slice.
    """
    with usable(path, "RTSTRUCT"):
        dataset = _read(path, record)
        grid = CtGrid(record)
        masks: dict[str, Mask] = {}
        numbers: dict[str, list[int]] = {}
        work = 0
        for roi in _wanted(path, dataset, structures, lungs):
            drawn = _drawn(path, dataset, roi, record, grid)
            work += sum(effort(contour, grid.shape) for contours in drawn.values() for contour in contours)
            if work > MOST_EFFORT:
                message = f"{path}: ROI {roi.name}: its contours wind so much that they are no outline of an organ"
                raise UnusableSegmentationError(message)
            for slice_index, contours in drawn.items():
                pixels = filled(contours, grid.shape)
                for name in roi.structures:
                    masks.setdefault(name, no_frames(record))[slice_index] |= pixels
            for name in roi.structures if drawn else ():
                numbers.setdefault(name, []).append(roi.number)
        reference, digest = reference_of(dataset), file_digest(path)
    return {
        name: ExpertStructure(
            mask=np.ascontiguousarray(record.from_dicom(mask)),
            source=reference,
            digest=digest,
            rois=tuple(sorted(numbers[name])),
        )
        for name, mask in masks.items()
    }


def _read(path: Path, record: CtRecord) -> pydicom.Dataset:
    dataset = read_dicom(path)
    if dataset.get("SOPClassUID") != RT_STRUCTURE_SET_STORAGE:
        message = f"{path}: is no RTSTRUCT (SOP class {dataset.get('SOPClassUID')})"
        raise UnusableSegmentationError(message)
    series = referenced_series(dataset)
    if record.series_instance_uid not in series:
        message = f"{path}: refers to {', '.join(series) or 'no series'}, not to series {record.series_instance_uid}"
        raise UnusableSegmentationError(message)
    return dataset


def _wanted(
    path: Path, dataset: pydicom.Dataset, structures: Mapping[Organ, str], lungs: Sequence[str]
) -> Iterator[_Roi]:
    names = [*structures.items(), *((LUNGS, label) for label in lungs)]
    used: set[int] = set()
    for item in dataset.StructureSetROISequence:
        roi_name = str(item.get("ROIName") or "").strip()
        of_roi = tuple(dict.fromkeys(name for name, label in names if label == roi_name))
        if of_roi:
            frame_of_reference, number = item.get("ReferencedFrameOfReferenceUID"), int(item.ROINumber)
            if number in used:
                message = f"{path}: ROI {roi_name}: has number {number}, which another ROI has too"
                raise UnusableSegmentationError(message)
            used.add(number)
            yield _Roi(number, roi_name, of_roi, str(frame_of_reference) if frame_of_reference else None)


def _drawn(
    path: Path, dataset: pydicom.Dataset, roi: _Roi, record: CtRecord, grid: CtGrid
) -> dict[int, list[npt.NDArray[np.float64]]]:
    """Return the closed contours of a ROI in pixels, by slice."""
    assert record.spacing_mm is not None
    tolerance_mm = SLICE_TOLERANCE * record.spacing_mm[2]
    drawn: dict[int, list[npt.NDArray[np.float64]]] = {}
    ignored: Counter[str] = Counter()
    misled = 0
    sets = [item for item in dataset.ROIContourSequence if int(item.ReferencedROINumber) == roi.number]
    contours = [contour for item in sets for contour in item.get("ContourSequence") or []]
    for count, contour in enumerate(contours, start=1):
        kind = str(contour.ContourGeometricType)
        if kind not in _CLOSED:
            ignored[kind] += 1
            continue
        try:
            points = _points(contour)
            if len(points) < _FEWEST_POINTS:
                ignored[f"{kind} of less than {_FEWEST_POINTS} points"] += 1
                continue
            slice_index = grid.contour_slice(points, tolerance_mm)
            misled += not _names_its_slice(contour, roi, record, slice_index)
        except (OffGridError, _MalformedError) as error:
            message = f"{path}: ROI {roi.name}: contour {count} of {len(contours)}: {error}"
            raise UnusableSegmentationError(message) from error
        drawn.setdefault(slice_index, []).append(grid.contour_pixels(points, slice_index))
    for kind, count in sorted(ignored.items()):
        logger.warning("%s: ROI %s: %d contours enclose nothing and are ignored: %s", path, roi.name, count, kind)
    if misled:
        message = "%s: ROI %s: %d contours refer to the image of another slice than they lie on; their position counts"
        logger.warning(message, path, roi.name, misled)
    return drawn


class _MalformedError(ValueError):
    """A contour whose points cannot be used, with the reason."""


def _points(contour: pydicom.Dataset) -> npt.NDArray[np.float64]:
    """Return the points of a contour, mm, LPS, shape (points, 3); none are made of more than there may be."""
    raw = contour.get_item("ContourData")
    texts = bytes(raw.value or b"").rstrip(b" \0") if raw is not None else b""
    values = texts.count(b"\\") + 1 if texts else 0
    if values % 3:
        message = f"has {values} coordinates, which are no whole number of points"
        raise _MalformedError(message)
    if values > 3 * MOST_POINTS:
        message = f"has {values // 3} points; more than {MOST_POINTS} are not read"
        raise _MalformedError(message)
    told = contour.get("NumberOfContourPoints")
    if told is not None and int(told) != values // 3:
        message = f"has {values // 3} points and claims {told}"
        raise _MalformedError(message)
    try:
        points = np.asarray(texts.split(b"\\") if texts else [], dtype=np.float64).reshape(-1, 3)
    except ValueError as error:
        message = f"has a coordinate that is no number ({error})"
        raise _MalformedError(message) from error
    if not np.all(np.abs(points) <= FARTHEST_MM):  # which is not so of NaN either
        message = f"has a coordinate that is not within {FARTHEST_MM:g} mm"
        raise _MalformedError(message)
    return points


def _names_its_slice(contour: pydicom.Dataset, roi: _Roi, record: CtRecord, slice_index: int) -> bool:
    """Tell whether a contour refers to the image that it lies on, or to none.

    It may refer to another: plastimatch looks images up by z alone, which is another one where slices are oblique.
    Positions mean the same only in the same frame of reference, so in another one it must refer to the image.
    """
    referenced = {str(item.ReferencedSOPInstanceUID) for item in contour.get("ContourImageSequence") or []}
    named = record.slices[slice_index].sop_instance_uid in referenced
    if len({roi.frame_of_reference_uid, record.frame_of_reference_uid} - {None, ""}) > 1 and not named:
        message = "lies in another frame of reference, and refers to no image of the CT there"
        raise OffGridError(message)
    return named or not referenced
