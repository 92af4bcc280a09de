"""The header index that is kept: written with the cohort, and taken up the next time, if it is of the same folder."""

from pathlib import Path

import pyarrow as pa

from ct_assets.store.digest import combined_digest
from ct_assets.store.tables import INSTANCES

_FOLDER = "folder_digest"


def write_index(instances: pa.Table, path: Path, folder: Path) -> None:
    """Write a header index.

    Parameters
    ----------
    instances : pyarrow.Table
        Header index.
    path : Path
        instances.parquet.
    folder : Path
        Folder that it is of: files are known by their place in it.
    """
    INSTANCES.write(instances, path, {_FOLDER: _digest(folder)})


def read_index(path: Path, folder: Path | None = None) -> pa.Table | None:
    """Return a header index; None where there is none, or one of another version or folder.

    Parameters
    ----------
    path : Path
        instances.parquet.
    folder : Path, optional
        Folder that it must be of.
    """
    try:
        instances = INSTANCES.read_arrow(path)
    except (OSError, ValueError):
        return None
    metadata = instances.schema.metadata or {}
    of = metadata.get(_FOLDER.encode(), b"").decode()
    return instances if folder is None or of == _digest(folder) else None


def _digest(folder: Path) -> str:
    return combined_digest([str(folder.resolve())])
