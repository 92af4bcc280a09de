"""The embedded engine: DuckDB through Ibis, with bounded memory and room to spill."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import ibis
import ibis.expr.types as ir
import pyarrow as pa
from ibis.backends.duckdb import Backend

from ct_assets.store.leftovers import scratch_folder

MEMORY_LIMIT = "5GB"
"""Memory of DuckDB; the table of the whole NLST (21 million images) then stays below 8 GB in all."""


@contextmanager
def duckdb_engine(*, threads: int | None = None) -> Iterator[Backend]:
    """Open an in-memory DuckDB for one task.

    Parameters
    ----------
    threads : int, optional
        Threads; default: all cores.

    Yields
    ------
    Backend
        Ibis backend; its tables are gone afterwards.
    """
    with scratch_folder() as spill:
        chosen = {"threads": threads} if threads else {}
        backend = ibis.duckdb.connect(memory_limit=MEMORY_LIMIT, temp_directory=str(spill), **chosen)
        # Rows are sorted at the end; keeping their order on the way costs memory.
        backend.raw_sql("SET preserve_insertion_order = false")
        try:
            yield backend
        finally:
            backend.disconnect()


def opened(backend: Backend, name: str, rows: pa.Table | Path) -> ir.Table:
    """Open an Arrow table or a Parquet file in DuckDB without copying it.

    Parameters
    ----------
    backend : Backend
        What `duckdb_engine` gives.
    name : str
        Name for it.
    rows : pyarrow.Table or Path
        Must outlive the use.
    """
    if isinstance(rows, Path):
        return backend.read_parquet(str(rows), table_name=name)
    backend.con.register(name, rows)
    return backend.table(name)
