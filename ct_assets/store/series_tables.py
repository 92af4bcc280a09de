"""The tables of many series together; a file that cannot be read is listed and the others go on."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from ct_assets.store.table import Table


@dataclass(frozen=True)
class UnreadableTable:
    """A file that was left out, and why."""

    path: Path
    reason: str

    @classmethod
    def of(cls, path: Path, error: Exception) -> "UnreadableTable":
        """Take the reason from an error, whose message names the file as well."""
        return cls(path, str(error).removeprefix(str(path)).lstrip(": "))

    def __str__(self) -> str:
        """Return file and reason for logs and metadata."""
        return f"{self.path}: {self.reason}"


def readable_files(table: Table, paths: Sequence[Path], asset: str) -> tuple[list[Path], list[UnreadableTable]]:
    """Sort out the files that are not this table, by their footers alone.

    Parameters
    ----------
    table : Table
        What the files should be.
    paths : sequence of Path
        Files; those that do not exist are left out without mention: the series has none yet.
    asset : str
        Asset that writes them, for the remedy.

    Returns
    -------
    readable : list of Path
        Files of this table and version.
    unreadable : list of UnreadableTable
        The others.
    """
    readable, unreadable = [], []
    for path in paths:
        if not path.is_file():
            continue
        reason = _defect(table, path, asset)
        if reason is None:
            readable.append(path)
        else:
            unreadable.append(UnreadableTable(path, reason))
    return readable, unreadable


def _defect(table: Table, path: Path, asset: str) -> str | None:
    try:
        schema = pq.read_schema(path)
    except (OSError, pa.ArrowException) as error:
        return f"cannot be read: {error}"
    metadata = schema.metadata or {}
    name, version = metadata.get(b"table", b"").decode(), metadata.get(b"schema_version", b"").decode()
    if (name, version) != (table.name, str(table.version)) or schema.names != list(table.columns):
        return f"is table {name or 'unknown'} version {version or 'unknown'}; materialize {asset} again"
    return None
