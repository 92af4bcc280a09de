"""The tables of all series as one; a table that cannot be read is listed and the others go on."""

from collections.abc import Sequence
from pathlib import Path

import duckdb
import pandas as pd
import pyarrow as pa

from ct_assets.store.series_tables import UnreadableTable, readable_files
from ct_assets.store.table import Table

_ORDER = ("PatientID", "StudyInstanceUID", "SeriesInstanceUID", "rule", "subject", "metric", "model", "label")


def compact(table: Table, paths: Sequence[Path], asset: str) -> tuple[pd.DataFrame, list[UnreadableTable]]:
    """Read a table of many series together.

    Parameters
    ----------
    table : Table
        Which.
    paths : sequence of Path
        Its files; those that do not exist are left out without mention: the series has none yet.
    asset : str
        Asset that writes them, for the remedy.

    Returns
    -------
    rows : DataFrame
        All rows, sorted.
    unreadable : list of UnreadableTable
        Files that are not this table in this version, in the order of `paths`.
    """
    readable, unreadable = readable_files(table, paths, asset)
    reasons: dict[Path, str] = {}
    try:
        rows = _read_together(table, readable)
    except duckdb.Error:
        rows = _read_singly(table, readable, reasons)
    order = [column for column in _ORDER if column in table.columns]
    rows = rows.sort_values(order, kind="stable", ignore_index=True)
    left_out = [*unreadable, *(UnreadableTable(path, reason) for path, reason in reasons.items())]
    return rows, sorted(left_out, key=lambda left: paths.index(left.path))


def _read_together(table: Table, paths: list[Path]) -> pd.DataFrame:
    if not paths:
        return table.empty()
    with duckdb.connect() as connection:
        return connection.execute("SELECT * FROM read_parquet($1)", [[str(path) for path in paths]]).df()


def _read_singly(table: Table, paths: list[Path], reasons: dict[Path, str]) -> pd.DataFrame:
    """Read one by one, noting which file has a sound footer and damaged data."""
    frames = [table.empty()]
    for path in paths:
        try:
            frames.append(table.read(path))
        except (OSError, ValueError, pa.ArrowException) as error:
            reasons[path] = f"cannot be read: {error}"
    filled = [frame for frame in frames if len(frame)]
    return pd.concat(filled, ignore_index=True) if filled else frames[0]
