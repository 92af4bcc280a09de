"""The CT series of a collection, judged, whatever its source is."""

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa

from ct_assets.cohort_table.source.bigquery import Queries, series_of_bigquery
from ct_assets.cohort_table.source.folder import series_of_folder
from ct_assets.cohort_table.source.idc import series_of_idc
from ct_assets.cohort_table.source.judged import Judged
from ct_assets.collection import Collection
from ct_assets.source_settings import BigQuerySource, IdcSource


def judged_series(
    collection: Collection,
    folder: Path,
    *,
    warehouse: Queries,
    index_file: Callable[[str], Path] | None = None,
    previous: pa.Table | None = None,
) -> Judged:
    """Judge the CT series of a collection.

    Parameters
    ----------
    collection : Collection
        The collection.
    folder : Path
        Its DICOM files, or the mirror that they are fetched into.
    warehouse : Queries
        Runs SQL in BigQuery, for a source there.
    index_file : callable, optional
        Address of one of IDC's larger indexes to its local file, for a source of kind idc.
    previous : pyarrow.Table, optional
        Header index of an earlier time.

    Raises
    ------
    EmptySourceError, NoCtError, ClinicalTableError, UnknownCollectionError, WarehouseError
        If the source, or what it needs, is not there; each says what to do.
    """
    if isinstance(collection.source, BigQuerySource):
        return series_of_bigquery(collection, warehouse)
    if isinstance(collection.source, IdcSource):
        return series_of_idc(collection, folder, previous, index_file=index_file)
    return series_of_folder(collection, folder, previous)
