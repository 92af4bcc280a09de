"""The tables of all series as one; a table that cannot be read is listed and the others go on."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pyarrow as pa

from ct_assets.store.series_tables import UnreadableTable
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
    rows, unreadable = [table.schema.empty_table()], []
    for path in paths:
        if not path.is_file():
            continue
        try:
            rows.append(table.read_arrow(path, asset).cast(table.schema))
        except (OSError, ValueError, pa.ArrowException) as error:
            unreadable.append(UnreadableTable.of(path, error))
    order = [column for column in _ORDER if column in table.columns]
    together = pa.concat_tables(rows).to_pandas().sort_values(order, kind="stable", ignore_index=True)
    return together, unreadable
