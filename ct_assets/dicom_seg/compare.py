"""Do the SEGs of a series say what its label maps say."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pydicom

from ct_assets.ct_nifti.record import CtRecord, read_ct_record
from ct_assets.ct_nifti.segmentation import read_seg
from ct_assets.ct_nifti.structure import UnusableSegmentationError
from ct_assets.ct_nifti.volume import load_label_map
from ct_assets.dicom.references import referenced_instances
from ct_assets.store.paths import SeriesFolder


def differences(folder: SeriesFolder, models: tuple[str, ...]) -> list[str]:
    """Compare the SEGs of a series with its label maps, voxel by voxel, and their references with the CT.

    Parameters
    ----------
    folder : SeriesFolder
        The series.
    models : tuple of str
        Models that have label maps.

    Returns
    -------
    list of str
        What differs; empty if nothing does.
    """
    record = read_ct_record(folder.ct_record)
    return [problem for model in models for problem in _differences(folder, model, record)]


def _differences(folder: SeriesFolder, model: str, record: CtRecord) -> Iterator[str]:
    labels, path = load_label_map(folder.label_map(model)), folder.seg(model)
    if not path.is_file():
        yield from [f"{model}: the SEG is missing"] if labels.any() else []
        return
    try:
        different = int(np.count_nonzero(read_seg(path, record) != labels))
    except UnusableSegmentationError as error:
        yield str(error)
        return
    if different:
        yield f"{model}: {different} voxels differ from the label map"
    yield from _unknown_instances(path, record)


def _unknown_instances(path: Path, record: CtRecord) -> Iterator[str]:
    known = {entry.sop_instance_uid for entry in record.slices}
    unknown = referenced_instances(pydicom.dcmread(path, stop_before_pixels=True)) - known
    if unknown:
        yield f"{path.name}: refers to {len(unknown)} instances that are not in the CT, such as {min(unknown)}"
