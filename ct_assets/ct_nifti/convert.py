"""DICOM to NIfTI: dcm2niix, then proof that its volume lies where DICOM puts it."""

import gzip
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np

from ct_assets.ct_nifti.dcm2niix import Conversion, run_dcm2niix
from ct_assets.ct_nifti.geometry import GeometryMismatchError, VoxelOrder, match_geometry
from ct_assets.ct_nifti.record import CtRecord, SliceRecord, read_ct_record
from ct_assets.dicom.series import CtSeries, InconsistentSeriesError, read_header
from ct_assets.store.atomic import atomic_path
from ct_assets.store.digest import combined_digest, file_digest
from ct_assets.store.leftovers import scratch_folder
from ct_assets.store.paths import SeriesFolder
from ct_assets.store.record import RecordError

logger = logging.getLogger(__name__)

_GZIP_LEVEL = 1


@dataclass(frozen=True)
class Rejected:
    """Why a series is unfit before it is converted, and the digest of the selection that says so, if one does."""

    reason: str
    selection_digest: str | None


def convert(files: Sequence[Path], folder: SeriesFolder, rejected: Rejected | None = None) -> CtRecord:
    """Convert a series and write ct.nii.gz and ct.json; an unfit series gets ct.json alone, with the reason.

    Parameters
    ----------
    files : sequence of Path
        DICOM files of the series, in any order.
    folder : SeriesFolder
        Where to write.
    rejected : Rejected, optional
        Why the series is not to be converted: the selection rejects it on its headers.

    Returns
    -------
    CtRecord
        What ct.json says.

    Raises
    ------
    UnreadableDicomError
        If a file cannot be read.
    ConversionError
        If dcm2niix itself breaks.
    """
    digest = source_digest(files)
    if _source_of(folder) != digest:
        folder.remove_derived()  # made from other files: nobody may take it for this series
    try:
        series = None if rejected else CtSeries.cached(files)
    except InconsistentSeriesError as error:
        series, rejected = None, Rejected(str(error), None)
    if series is None:
        assert rejected is not None
        record = _unfit(files, digest, rejected)
    else:
        with scratch_folder() as scratch:
            conversion = run_dcm2niix(list(files), scratch)
            record = _record(series, conversion, digest, folder)
    if not record.fit:
        logger.warning("series %s is unfit: %s", record.series_instance_uid, "; ".join(record.reasons))
        folder.remove_derived()
    record.write(folder.ct_record)
    return record


def source_digest(files: Sequence[Path]) -> str:
    """Return the digest of the files of a series, whatever their order and names.

    Parameters
    ----------
    files : sequence of Path
        DICOM files.
    """
    return combined_digest(sorted(file_digest(path) for path in files))


def _source_of(folder: SeriesFolder) -> str | None:
    """Return the digest of the files that the folder's content was made from; none if there is no sound record."""
    try:
        return read_ct_record(folder.ct_record, require_fit=False).source_digest
    except (FileNotFoundError, RecordError):
        return None


def _record(series: CtSeries, conversion: Conversion, source_digest: str, folder: SeriesFolder) -> CtRecord:
    """Take the one volume that has DICOM's geometry, write it, and describe it."""
    header = series.header
    identity = {
        "patient_id": str(header.get("PatientID", "")),
        "study_instance_uid": str(header.StudyInstanceUID),
        "series_instance_uid": series.series_instance_uid,
        "frame_of_reference_uid": str(header.get("FrameOfReferenceUID") or "") or None,
        "source_digest": source_digest,
        "converter": conversion.converter,
        "converter_messages": conversion.messages,
    }
    reasons = []
    if len(conversion.volumes) != 1:
        reasons.append(f"dcm2niix made {len(conversion.volumes)} volumes of the series")
    for volume in conversion.volumes:
        image = nib.load(volume)
        affine = np.asarray(image.affine, dtype=np.float64)
        try:
            order = match_geometry(image.shape, affine, series)
        except GeometryMismatchError as error:
            reasons.append(str(error))
            continue
        _write_volume(volume, folder.ct_nifti)
        return CtRecord(
            **identity,
            fit=True,
            shape=image.shape,
            affine=tuple(tuple(float(value) for value in row) for row in affine),
            spacing_mm=tuple(float(np.linalg.norm(affine[:3, axis])) for axis in range(3)),
            flip_columns=order.flip_columns,
            flip_rows=order.flip_rows,
            slices=_slices(series, order),
        )
    complaints = [message for message in conversion.messages if message.lower().startswith("error")]
    return CtRecord(**identity, fit=False, reasons=(*reasons, *complaints))


def _slices(series: CtSeries, order: VoxelOrder) -> tuple[SliceRecord, ...]:
    return tuple(
        SliceRecord(
            sop_instance_uid=series.instances[rank].sop_instance_uid,
            file=series.instances[rank].path.name,
            position_mm=float(series.positions[rank]),
        )
        for rank in order.slice_order
    )


def _write_volume(volume: Path, target: Path) -> None:
    """Compress with a fixed time stamp, so that the same series gives the same bytes."""
    with atomic_path(target) as temporary:
        temporary.write_bytes(gzip.compress(volume.read_bytes(), compresslevel=_GZIP_LEVEL, mtime=0))


def _unfit(files: Sequence[Path], source_digest: str, rejected: Rejected) -> CtRecord:
    header = read_header(files[0])
    return CtRecord(
        patient_id=str(header.get("PatientID", "")),
        study_instance_uid=str(header.get("StudyInstanceUID", "")),
        series_instance_uid=str(header.get("SeriesInstanceUID", "")),
        frame_of_reference_uid=None,
        fit=False,
        reasons=(rejected.reason,),
        unfit_by_selection=rejected.selection_digest,
        source_digest=source_digest,
        converter="none",
    )
