"""The DICOM files of one series, found through the header index of its collection."""

from pathlib import Path

import pyarrow.parquet as pq

from ct_assets.cohort_table.manifest import series_files
from ct_assets.dicom.series import CtSeries
from ct_assets.store.paths import CollectionFolder


def source_files(store: CollectionFolder, source: Path, series_instance_uid: str) -> list[Path]:
    """Return the DICOM files of one series, without reading the index rows of the others.

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
        If the index does not know the series.
    """
    index = store.cohort.instances
    if not index.is_file():
        message = f"{index} is missing; materialize cohort_table first"
        raise FileNotFoundError(message)
    rows = pq.read_table(index, filters=[("SeriesInstanceUID", "=", series_instance_uid)]).to_pandas()
    files = [source / file for file in series_files(rows, series_instance_uid)]
    gone = [file for file in files if not file.is_file()]
    if gone:
        message = f"{gone[0]} has gone since cohort_table was made; put it back or materialize cohort_table again"
        raise FileNotFoundError(message)
    return files


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
