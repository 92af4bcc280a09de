"""What the files of a store prove to have been made: per asset its files, read as far as it takes to trust them."""

from collections.abc import Callable, Sequence
from pathlib import Path

import nibabel as nib
import numpy as np
import pyarrow as pa
from nibabel.filebasedimages import ImageFileError

from ct_assets.bpr_json.record import read_body_part_record
from ct_assets.collection import Collection
from ct_assets.ct_nifti.record import read_ct_record
from ct_assets.dicom.written import ObjectsRecord
from ct_assets.organ_seg.record import read_label_map_record
from ct_assets.store import tables
from ct_assets.store.digest import file_digest
from ct_assets.store.paths import CohortFolder, SeriesFolder
from ct_assets.store.series_tables import readable_files
from ct_assets.store.table import Table

_TRAILER = 4  # bytes at the end of a gzip file that hold the size of its content


class DamagedFileError(ValueError):
    """A file that is not whole; the message names it and the remedy."""


def series_files(asset: str, folder: SeriesFolder, collection: Collection) -> list[Path]:
    """Return the files of an asset of a series, all of them whole; none where the asset was not made.

    Parameters
    ----------
    asset : str
        One of the assets per series.
    folder : SeriesFolder
        The series.
    collection : Collection
        Its settings: the models that an asset must have.

    Raises
    ------
    DamagedFileError
        If one of the files is there and not whole.
    """
    return _checked(lambda: _SERIES[asset](folder, collection), asset)


def cohort_files(asset: str, folder: CohortFolder) -> list[Path]:
    """Return the files of an asset of the whole collection, as `series_files` does.

    Parameters
    ----------
    asset : str
        cohort_table, sr_validation or cohort_report.
    folder : CohortFolder
        The cohort's folder.
    """
    return _checked(lambda: _COHORT[asset](folder), asset)


def _checked(files: Callable[[], list[Path]], asset: str) -> list[Path]:
    try:
        return files()
    except FileNotFoundError:
        return []
    except (OSError, EOFError, ValueError, pa.ArrowException, ImageFileError) as error:
        if isinstance(error, DamagedFileError):
            raise
        text = str(error)
        remedy = "" if "materialize" in text else f"; restore it from the backup, or materialize {asset} again"
        raise DamagedFileError(text + remedy) from error


def _ct_nifti(folder: SeriesFolder, _collection: Collection) -> list[Path]:
    record = read_ct_record(folder.ct_record, require_fit=False)
    if not record.fit or record.shape is None:
        return [folder.ct_record]
    _whole_volume(folder.ct_nifti, record.shape)
    return [folder.ct_record, folder.ct_nifti]


def _organ_seg(folder: SeriesFolder, collection: Collection) -> list[Path]:
    files = []
    for model in collection.models:
        record = read_label_map_record(folder.label_map_record(model))
        if file_digest(_there(folder.label_map(model))) != record.label_map_digest:
            message = f"{folder.label_map(model)}: is not what its record describes; materialize organ_seg again"
            raise DamagedFileError(message)
        files += [folder.label_map_record(model), folder.label_map(model)]
    return files


def _bpr_json(folder: SeriesFolder, _collection: Collection) -> list[Path]:
    read_body_part_record(folder.bpr_record)
    _tables((tables.LANDMARKS, folder.landmarks), (tables.REGIONS, folder.regions), asset="bpr_json")
    return [folder.bpr_record, _there(folder.bpr_json), folder.landmarks, folder.regions]


def _shape_features(folder: SeriesFolder, _collection: Collection) -> list[Path]:
    _tables((tables.SHAPE_FEATURES, folder.shape_features), asset="shape_features")
    return [folder.shape_features]


def _dicom_seg(folder: SeriesFolder, _collection: Collection) -> list[Path]:
    return _objects(folder.seg_objects, "dicom_seg")


def _dicom_sr(folder: SeriesFolder, _collection: Collection) -> list[Path]:
    written = [
        (tables.MEASUREMENT_GROUPS, folder.measurement_groups),
        (tables.QUANTITATIVE_MEASUREMENTS, folder.quantitative_measurements),
        (tables.QUALITATIVE_MEASUREMENTS, folder.qualitative_measurements),
    ]
    _tables(*written, asset="dicom_sr")
    return [*_objects(folder.sr_objects, "dicom_sr"), *(path for _, path in written)]


def _qc_report(folder: SeriesFolder, _collection: Collection) -> list[Path]:
    _tables((tables.QC, folder.qc_table), asset="qc_report")
    return [folder.qc_table, _there(folder.qc_page)]


def _cohort_table(folder: CohortFolder) -> list[Path]:
    of_all = [(tables.COHORT, folder.cohort), (tables.SELECTION_FLOW, folder.selection_flow)]
    _tables(*of_all, asset="cohort_table")
    tables.COHORT.read(folder.cohort)
    return [path for _, path in of_all]


def _sr_validation(folder: CohortFolder) -> list[Path]:
    _tables((tables.SR_VALIDATION, folder.sr_validation), asset="sr_validation")
    return [folder.sr_validation]


def _cohort_report(folder: CohortFolder) -> list[Path]:
    _tables((tables.QC, folder.qc_table), (tables.DISTRIBUTIONS, folder.distributions), asset="cohort_report")
    return [folder.qc_table, folder.distributions, _there(folder.report)]


def _objects(path: Path, asset: str) -> list[Path]:
    """Return a record of DICOM objects and its files, each with the digest that it was written with."""
    files = [path]
    for entry in ObjectsRecord.read(path, asset).objects.values():
        if entry.sha256 is not None:
            file = path.parent / entry.file
            if file_digest(_there(file)) != entry.sha256:
                message = f"{file}: is not the file that was written; materialize {asset} again"
                raise DamagedFileError(message)
            files.append(file)
    return files


def _tables(*written: tuple[Table, Path], asset: str) -> None:
    _begun(written[0][1])
    for table, path in written:
        _, unreadable = readable_files(table, [_there(path)], asset)
        if unreadable:
            raise ValueError(str(unreadable[0]))  # the caller adds the remedy where it lacks one


def _begun(path: Path) -> Path:
    """Return the file by which an asset is known to have been made.

    Raises
    ------
    FileNotFoundError
        If it was not.
    """
    if not path.is_file():
        message = str(path)
        raise FileNotFoundError(message)
    return path


def _there(path: Path) -> Path:
    """Return a further file of an asset that was made."""
    if not path.is_file():
        message = f"{path}: is missing, and others of its asset are there; restore it from the backup or materialize it"
        raise DamagedFileError(message)
    return path


def _whole_volume(path: Path, shape: Sequence[int]) -> None:
    """Check the header of a .nii.gz, and by its last bytes that it has not been cut off; voxels are not unpacked."""
    image = nib.load(_there(path))
    size = int(image.dataobj.offset + np.prod(image.shape) * image.header.get_data_dtype().itemsize)
    with path.open("rb") as file:
        file.seek(-_TRAILER, 2)
        packed = int.from_bytes(file.read(), "little")
    if tuple(image.shape) != tuple(shape) or packed != size % 2**32:
        message = f"{path}: is cut off, or not the volume that ct.json describes; materialize ct_nifti again"
        raise DamagedFileError(message)


_SERIES = {
    "ct_nifti": _ct_nifti,
    "organ_seg": _organ_seg,
    "bpr_json": _bpr_json,
    "shape_features": _shape_features,
    "dicom_seg": _dicom_seg,
    "dicom_sr": _dicom_sr,
    "qc_report": _qc_report,
}
_COHORT = {"cohort_table": _cohort_table, "sr_validation": _sr_validation, "cohort_report": _cohort_report}
