"""The DICOM files of one series: found through the header index, or in the mirror that they are fetched into."""

from pathlib import Path

import pyarrow.parquet as pq

from ct_assets.cohort_table.manifest import series_files
from ct_assets.dicom.series import CtSeries
from ct_assets.store.paths import CollectionFolder
from ct_assets.store.uid import checked_uid


def source_files(store: CollectionFolder, source: Path, series_instance_uid: str) -> list[Path]:
    """Return the DICOM files of one series, without reading the index rows of the others.

    A series that was fetched after the header index was made has a folder of its own in the mirror.

    Parameters
    ----------
    store : CollectionFolder
        The collection.
    source : Path
        Folder of its DICOM files.
    series_instance_uid : str
        SeriesInstanceUID.

    Raises
    ------
    FileNotFoundError
        If cohort_table has not been materialized, or a file of the series has gone since.
    LookupError
        If neither the index nor the mirror knows the series.
    """
    if not store.cohort.cohort.is_file():
        message = f"{store.cohort.cohort} is missing; materialize cohort_table first"
        raise FileNotFoundError(message)
    files = [source / file for file in indexed_files(store, series_instance_uid)]
    gone = next((file for file in files if not file.is_file()), None)
    if files and gone is None:
        return files
    fetched = source / checked_uid(series_instance_uid)
    if store.cohort.remote_series.is_file() and fetched.is_dir():
        return sorted(file for file in fetched.iterdir() if not file.name.startswith("."))
    if gone:
        message = f"{gone} has gone since cohort_table was made; put it back or materialize cohort_table again"
        raise FileNotFoundError(message)
    message = f"series {series_instance_uid} is not in {source}; materialize cohort_table again, then ct_nifti"
    raise LookupError(message)


def indexed_files(store: CollectionFolder, series_instance_uid: str) -> list[str]:
    """Return the files of a series in the header index; none where it does not know the series, or there is none.

    Parameters
    ----------
    store : CollectionFolder
        The collection.
    series_instance_uid : str
        SeriesInstanceUID.
    """
    if not store.cohort.instances.is_file():
        return []
    rows = pq.read_table(store.cohort.instances, filters=[("SeriesInstanceUID", "=", series_instance_uid)])
    return series_files(rows, series_instance_uid)


def source_series(store: CollectionFolder, source: Path, series_instance_uid: str) -> CtSeries:
    """Return the headers of one series; within a process they are read once.

    Parameters
    ----------
    store : CollectionFolder
        The collection.
    source : Path
        Folder of its DICOM files.
    series_instance_uid : str
        SeriesInstanceUID.

    Raises
    ------
    FileNotFoundError, LookupError, UnreadableDicomError, InconsistentSeriesError
        If the series cannot be read as one.
    """
    return CtSeries.cached(source_files(store, source, series_instance_uid))
