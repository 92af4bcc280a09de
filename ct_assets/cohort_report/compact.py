"""The QC tables of all series as one table; a table that cannot be read is listed and the others go on."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from ct_assets.store.tables import QC

_ORDER = ["PatientID", "StudyInstanceUID", "SeriesInstanceUID", "rule", "subject", "metric", "model"]


@dataclass(frozen=True)
class UnreadableTable:
    """A QC table that was left out, and why."""

    path: Path
    reason: str

    def __str__(self) -> str:
        """Return file and reason for logs and metadata."""
        return f"{self.path}: {self.reason}"


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
    present = [path for path in paths if path.is_file()]
    reasons = {path: _defect(path) for path in present}
    readable = [path for path in present if reasons[path] is None]
    try:
        table = _read_together(readable)
    except duckdb.Error:
        table = _read_singly(readable, reasons)
    table = table.sort_values(_ORDER, kind="stable", ignore_index=True)
    return table, [UnreadableTable(path, reason) for path, reason in reasons.items() if reason]


def _defect(path: Path) -> str | None:
    """Tell from the footer alone why a file is no QC table."""
    try:
        schema = pq.read_schema(path)
    except (OSError, pa.ArrowException) as error:
        return f"cannot be read: {error}"
    metadata = schema.metadata or {}
    name, version = metadata.get(b"table", b"").decode(), metadata.get(b"schema_version", b"").decode()
    if (name, version) != (QC.name, str(QC.version)) or schema.names != list(QC.columns):
        return f"is table {name or 'unknown'} version {version or 'unknown'}; materialize qc_report again"
    return None


def _read_together(paths: list[Path]) -> pd.DataFrame:
    if not paths:
        return QC.empty()
    with duckdb.connect() as connection:
        return connection.execute("SELECT * FROM read_parquet($1)", [[str(path) for path in paths]]).df()


def _read_singly(paths: list[Path], reasons: dict[Path, str | None]) -> pd.DataFrame:
    """Read one by one, noting which file has a sound footer and damaged data."""
    frames = [QC.empty()]
    for path in paths:
        try:
            frames.append(QC.read(path))
        except (OSError, ValueError, pa.ArrowException) as error:
            reasons[path] = f"cannot be read: {error}"
    filled = [frame for frame in frames if len(frame)]
    return pd.concat(filled, ignore_index=True) if filled else frames[0]
