"""Is ct.nii.gz what the DICOM files say, checked from the files themselves and not from what conversion recorded."""

from collections.abc import Iterator
from typing import Any

import nibabel as nib
import numpy as np
import numpy.typing as npt

from ct_assets.ct_nifti.geometry import GeometryMismatchError, match_geometry
from ct_assets.ct_nifti.record import CtRecord
from ct_assets.dicom.read import read_dicom
from ct_assets.dicom.series import CtSeries
from ct_assets.store.paths import SeriesFolder

_HALF_HU = 0.5


def differences_from_dicom(folder: SeriesFolder, record: CtRecord, series: CtSeries) -> list[str]:
    """Compare ct.nii.gz and ct.json with the DICOM files.

    Place and order of all slices are compared with the headers; the pixels of the first, the middle and the last slice
    too, where they are stored uncompressed.

    Parameters
    ----------
    folder : SeriesFolder
        The converted series.
    record : CtRecord
        Its ct.json.
    series : CtSeries
        Its DICOM headers.

    Returns
    -------
    list of str
        What differs; empty if nothing does.
    """
    image = nib.load(folder.ct_nifti)
    try:
        order = match_geometry(image.shape, np.asarray(image.affine, dtype=np.float64), series)
    except GeometryMismatchError as error:
        return [str(error)]
    expected = [series.instances[rank].sop_instance_uid for rank in order.slice_order]
    if [entry.sop_instance_uid for entry in record.slices] != expected:
        return ["ct.json names other instances than the geometry"]
    if (record.flip_columns, record.flip_rows) != (order.flip_columns, order.flip_rows):
        return ["ct.json has other flips than the geometry"]
    frames = record.to_dicom(np.asarray(image.dataobj))
    chosen = sorted({0, len(expected) // 2, len(expected) - 1})
    return list(_pixel_differences(frames, series, [(k, order.slice_order[k]) for k in chosen]))


def _pixel_differences(frames: npt.NDArray[Any], series: CtSeries, chosen: list[tuple[int, int]]) -> Iterator[str]:
    for k, rank in chosen:
        instance = series.instances[rank]
        if instance.header.file_meta.TransferSyntaxUID.is_compressed:
            continue
        dataset = read_dicom(instance.path)
        hounsfield = dataset.pixel_array * float(dataset.get("RescaleSlope", 1)) + float(
            dataset.get("RescaleIntercept", 0)
        )
        if np.abs(frames[k] - hounsfield).max() > _HALF_HU:
            yield f"slice {k} has other pixels than {instance.path.name}"
