"""DICOM SEG back to arrays on the grid of ct.nii.gz: our own label maps, and experts' segments by their label."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ct_assets.ct_nifti.record import CtRecord
from ct_assets.ct_nifti.segmentation_frames import read_segmentation, segment_frames
from ct_assets.ct_nifti.structure import ExpertStructure, Mask, UnusableSegmentationError, no_frames, usable
from ct_assets.dicom.edition import reference_of
from ct_assets.organs import LUNGS, Organ
from ct_assets.store.digest import file_digest


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
    with usable(path, "SEG"):
        return _label_map(path, record)


def _label_map(path: Path, record: CtRecord) -> npt.NDArray[np.uint8]:
    dataset = read_segmentation(path)
    labels = no_frames(record).astype(np.uint8)
    for frame in segment_frames(path, dataset, record):
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
    with usable(path, "SEG"):
        return _structures(path, record, structures, lungs)


def _structures(
    path: Path, record: CtRecord, structures: Mapping[Organ, str], lungs: Sequence[str]
) -> dict[str, ExpertStructure]:
    dataset = read_segmentation(path)
    names = [(organ, label) for organ, label in structures.items()] + [(LUNGS, label) for label in lungs]
    wanted = {
        int(segment.SegmentNumber): [name for name, label in names if label == str(segment.SegmentLabel).strip()]
        for segment in dataset.SegmentSequence
    }
    masks: dict[str, Mask] = {}
    for frame_names in wanted.values():
        for name in frame_names:
            masks.setdefault(name, no_frames(record))
    segments = {number for number, frame_names in wanted.items() if frame_names}
    for frame in segment_frames(path, dataset, record, segments):
        for name in wanted[frame.segment]:
            masks[name][frame.slice_index] |= frame.mask
    reference, digest = reference_of(dataset), file_digest(path)
    return {
        name: ExpertStructure(
            mask=np.ascontiguousarray(record.from_dicom(mask)),
            source=reference,
            segments=tuple(sorted(number for number, frame_names in wanted.items() if name in frame_names)),
            digest=digest,
        )
        for name, mask in masks.items()
    }
