"""A kind of Parquet table: one schema, checked on writing, with its version in the file."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from ct_assets.store.atomic import atomic_path

_LARGE = 1 << 20
"""Bytes above which several threads are worth their start; a table of one series is far smaller."""


class DamagedTableError(ValueError):
    """A table that cannot be read; the message names the file and the remedy."""


@dataclass(frozen=True)
class Table:
    """Name, version and columns of a kind of table, and the asset that writes it."""

    name: str
    version: int
    columns: dict[str, pa.DataType]
    asset: str = "cohort_table"

    @property
    def schema(self) -> pa.Schema:
        """Arrow schema with name and version in its metadata."""
        fields = [pa.field(name, kind) for name, kind in self.columns.items()]
        return pa.schema(fields, metadata={"table": self.name, "schema_version": str(self.version)})

    def write(self, rows: pd.DataFrame | pa.Table, path: Path, about: Mapping[str, str] | None = None) -> None:
        """Write rows atomically; they must have exactly this table's columns, in any order.

        Parameters
        ----------
        rows : DataFrame or pyarrow.Table
            Rows.
        path : Path
            File to write.
        about : mapping of str to str, optional
            Further metadata of the file.

        Raises
        ------
        pyarrow.ArrowInvalid
            If a value does not fit its column.
        KeyError
            If a column is missing or unknown.
        """
        names = set(rows.column_names if isinstance(rows, pa.Table) else rows.columns)
        if names != set(self.columns):
            message = f"{path.name}: columns missing or unknown: {', '.join(sorted(names ^ set(self.columns)))}"
            raise KeyError(message)
        if isinstance(rows, pa.Table):
            table = rows.select(list(self.columns)).cast(self.schema)
        else:
            table = pa.Table.from_pandas(rows[list(self.columns)], schema=self.schema, preserve_index=False)
        table = table.replace_schema_metadata({**self.schema.metadata, **(about or {})})
        with atomic_path(path) as temporary:
            pq.write_table(table, temporary, compression="zstd", write_page_checksum=True)

    def read(self, path: Path) -> pd.DataFrame:
        """Read rows.

        Parameters
        ----------
        path : Path
            File that `write` made.

        Returns
        -------
        DataFrame
            The rows.

        Raises
        ------
        FileNotFoundError, ValueError
            As `read_arrow`.
        """
        frame: pd.DataFrame = self.read_arrow(path).to_pandas()
        return frame

    def read_arrow(self, path: Path, asset: str | None = None) -> pa.Table:
        """Read rows as an Arrow table, which holds lists and many rows in less memory.

        Parameters
        ----------
        path : Path
            File that `write` made.
        asset : str, optional
            Which asset wrote it, for the remedy; default: the one that writes this kind of table of a series.

        Raises
        ------
        FileNotFoundError
            If there is none.
        DamagedTableError
            If it cannot be read, or a page of it has not its checksum.
        ValueError
            If the file is another table or another version.
        """
        asset = asset or self.asset
        try:
            with pq.ParquetFile(path, page_checksum_verification=True) as file:
                table = file.read(use_threads=path.stat().st_size > _LARGE)
        except FileNotFoundError as error:
            message = f"{path} is missing; materialize {asset} first"
            raise FileNotFoundError(message) from error
        except (OSError, ValueError, pa.ArrowException) as error:
            reason = str(error).splitlines()[0]
            message = f"{path} is damaged ({reason}); materialize {asset} again"
            raise DamagedTableError(message) from error
        metadata = table.schema.metadata or {}
        found = (metadata.get(b"table", b"").decode(), metadata.get(b"schema_version", b"").decode())
        if found != (self.name, str(self.version)):
            message = (
                f"{path}: is table {found[0] or 'unknown'} version {found[1] or 'unknown'}, expected {self.name} "
                f"version {self.version}; ct-assets upgrade migrates it, or says what to materialize again"
            )
            raise ValueError(message)
        return table

    def empty(self) -> pd.DataFrame:
        """Return a frame with this table's columns and no rows."""
        frame: pd.DataFrame = self.schema.empty_table().to_pandas()
        return frame
