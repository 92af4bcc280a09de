"""The QC tables of all series as one table; a table that cannot be read is listed and the others go on."""

from collections.abc import Sequence
from pathlib import Path

import duckdb
import pandas as pd
import pyarrow as pa

from ct_assets.store.series_tables import UnreadableTable, readable_files
from ct_assets.store.tables import QC

_ORDER = ["PatientID", "StudyInstanceUID", "SeriesInstanceUID", "rule", "subject", "metric", "model"]


def compact(paths: Sequence[Path]) -> tuple[pd.DataFrame, list[UnreadableTable]]:
    """Read the QC tables of many series together.

    Parameters
    ----------
    paths : sequence of Path
        qc.parquet files; those that do not exist are left out without mention: the series has no QC yet.

    Returns
    -------
    table : DataFrame
        All rows, sorted, columns of `ct_assets.store.tables.QC`.
    unreadable : list of UnreadableTable
        Files that are no QC table of this version, in the order of `paths`.
    """
    readable, unreadable = readable_files(QC, paths, "qc_report")
    reasons: dict[Path, str] = {}
    try:
        table = _read_together(readable)
    except duckdb.Error:
        table = _read_singly(readable, reasons)
    table = table.sort_values(_ORDER, kind="stable", ignore_index=True)
    left_out = [*unreadable, *(UnreadableTable(path, reason) for path, reason in reasons.items())]
    return table, sorted(left_out, key=lambda left: paths.index(left.path))


def _read_together(paths: list[Path]) -> pd.DataFrame:
    if not paths:
        return QC.empty()
    with duckdb.connect() as connection:
        return connection.execute("SELECT * FROM read_parquet($1)", [[str(path) for path in paths]]).df()


def _read_singly(paths: list[Path], reasons: dict[Path, str]) -> pd.DataFrame:
    """Read one by one, noting which file has a sound footer and damaged data."""
    frames = [QC.empty()]
    for path in paths:
        try:
            frames.append(QC.read(path))
        except (OSError, ValueError, pa.ArrowException) as error:
            reasons[path] = f"cannot be read: {error}"
    filled = [frame for frame in frames if len(frame)]
    return pd.concat(filled, ignore_index=True) if filled else frames[0]
