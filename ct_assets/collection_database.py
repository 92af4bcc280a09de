"""All tables of a collection as one DuckDB database in memory, to be asked by SQL."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.dataset as ds

from ct_assets.store.paths import CollectionFolder, SeriesFolder
from ct_assets.store.series_tables import UnreadableTable, readable_files
from ct_assets.store.table import Table
from ct_assets.store.tables import (
    COHORT,
    LANDMARKS,
    MEASUREMENT_GROUPS,
    QC,
    QUALITATIVE_MEASUREMENTS,
    QUANTITATIVE_MEASUREMENTS,
    REGIONS,
    SHAPE_FEATURES,
)

SERIES_TABLES: tuple[tuple[Table, str, Callable[[SeriesFolder], Path]], ...] = (
    (LANDMARKS, "bpr_json", lambda folder: folder.landmarks),
    (REGIONS, "bpr_json", lambda folder: folder.regions),
    (SHAPE_FEATURES, "shape_features", lambda folder: folder.shape_features),
    (MEASUREMENT_GROUPS, "dicom_sr", lambda folder: folder.measurement_groups),
    (QUANTITATIVE_MEASUREMENTS, "dicom_sr", lambda folder: folder.quantitative_measurements),
    (QUALITATIVE_MEASUREMENTS, "dicom_sr", lambda folder: folder.qualitative_measurements),
    (QC, "qc_report", lambda folder: folder.qc_table),
)
"""Tables that every series has, the asset that writes each, and its file."""

_VIEWS = (
    ("ct_assets.bpr_json", "anatomy.sql"),
    ("ct_assets.shape_features", "shapes.sql"),
    ("ct_assets.dicom_sr", "measurements.sql"),
)


@dataclass(frozen=True)
class CollectionDatabase:
    """A connection that has the tables and views, and the files that are not in them."""

    connection: duckdb.DuckDBPyConnection
    unreadable: tuple[UnreadableTable, ...]


def open_database(folder: CollectionFolder) -> CollectionDatabase:
    """Open the tables of a collection; nothing is copied, and no file can be changed by it.

    Parameters
    ----------
    folder : CollectionFolder
        The collection.

    Returns
    -------
    CollectionDatabase
        Tables ``cohort``, ``landmarks``, ``regions``, ``shape_features``, ``measurement_groups``,
        ``quantitative_measurements``, ``qualitative_measurements`` and ``qc`` (empty where nothing is made yet), and
        the views, such as ``anatomy`` and ``organ_shapes``.
    """
    connection = duckdb.connect()
    series = folder.all_series()
    sources = [(COHORT, "cohort_table", [folder.cohort.cohort])]
    sources += [(table, asset, [path(one) for one in series]) for table, asset, path in SERIES_TABLES]
    unreadable: list[UnreadableTable] = []
    for table, asset, paths in sources:
        readable, left_out = readable_files(table, paths, asset)
        unreadable += left_out
        connection.register(table.name, _together(table, readable))
    for package, name in _VIEWS:
        connection.execute(resources.files(package).joinpath(name).read_text(encoding="utf-8"))
    # What is asked can then neither read nor write another file.
    connection.execute("SET enable_external_access = false; SET lock_configuration = true")
    return CollectionDatabase(connection, tuple(unreadable))


def _together(table: Table, paths: list[Path]) -> pa.Table | ds.Dataset:
    if not paths:
        return table.schema.empty_table()
    return ds.dataset([str(path) for path in paths], schema=table.schema, format="parquet")
