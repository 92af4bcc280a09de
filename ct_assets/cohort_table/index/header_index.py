"""Header index: one row per file below a folder, whatever it is, with the columns of IDC's `dicom_all`."""

import logging
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from ct_assets.cohort_table.index.copies import with_copies
from ct_assets.cohort_table.index.file_rows import NOT_DICOM
from ct_assets.cohort_table.index.index_pool import default_workers, read_batches
from ct_assets.cohort_table.index.unchanged import split_unchanged
from ct_assets.store.tables import INSTANCES
from ct_assets.store.walk import walk_files

if TYPE_CHECKING:
    import pandas as pd

logger = logging.getLogger(__name__)

_TELL_EVERY_SECONDS = 15


class SourceGoneError(OSError):
    """A source that went away while it was read; the message names the folder and the remedy."""


class EmptySourceError(ValueError):
    """A source without any file; the message names the folder and the remedy."""


def index_folder(
    folder: Path,
    *,
    previous: pa.Table | None = None,
    workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> pa.Table:
    """Read the headers of all files below a folder.

    Files that cannot be used and folders that cannot be listed are rows with a `problem`; they stop nothing.

    Parameters
    ----------
    folder : Path
        Folder to walk; links are followed, each folder once.
    previous : pyarrow.Table, optional
        Earlier index. A file whose path, size and modification time are in it is not opened again.
    workers : int, optional
        Processes to read with at most; by default one per processor core.
    progress : callable, optional
        Called with files done and files in all.

    Returns
    -------
    pyarrow.Table
        Rows of `ct_assets.store.tables.INSTANCES`, sorted by file.

    Raises
    ------
    EmptySourceError
        If the folder is missing or holds no file.
    SourceGoneError
        If the folder was moved or unmounted meanwhile, so that its files only seem to be unreadable.
    """
    if not folder.is_dir():
        message = f"{folder}: no such folder; give the folder that holds the DICOM files"
        raise EmptySourceError(message)
    before = folder.stat()
    names, unlisted = _walk(folder)
    _require_still(folder, before)
    if not names and not unlisted:
        message = f"{folder}: the folder is empty; give the folder that holds the DICOM files"
        raise EmptySourceError(message)
    kept, to_read = INSTANCES.schema.empty_table(), names
    if previous is not None:
        kept, to_read = split_unchanged(str(folder), names, previous.select(list(INSTANCES.columns)))
    batches: list[pa.RecordBatch] = []
    done, told = len(kept), time.monotonic()
    if progress:
        progress(done, len(names))
    for batch in read_batches(str(folder), INSTANCES.schema, to_read, workers or default_workers()):
        batches.append(batch)
        done += len(batch)
        if progress:
            progress(done, len(names))
        if time.monotonic() - told > _TELL_EVERY_SECONDS:
            logger.info("read the headers of %d of %d files below %s", done, len(names), folder)
            told = time.monotonic()
    _require_still(folder, before)
    read = pa.Table.from_batches(batches, INSTANCES.schema)
    others = pa.Table.from_pylist(unlisted, INSTANCES.schema)
    instances = with_copies(_sorted(read, kept.cast(INSTANCES.schema), others))
    problems = len(instances) - instances["problem"].null_count
    message = "indexed %d files below %s: %d unchanged and not opened again, %d not usable"
    logger.info(message, len(instances), folder, len(kept), problems)
    return instances


def unreadable_files(instances: pa.Table | None) -> "pd.DataFrame":
    """Return the files that claim to be DICOM and cannot be used, and the folders not listed, with the problem.

    Parameters
    ----------
    instances : pyarrow.Table, optional
        Header index; none where no file was read.

    Returns
    -------
    DataFrame
        Columns `file` and `problem`.
    """
    if instances is None:
        instances = INSTANCES.schema.empty_table()
    bad = pc.not_equal(instances["problem"], NOT_DICOM)
    frame: pd.DataFrame = instances.select(["file", "problem"]).filter(bad).to_pandas()
    return frame


def _require_still(folder: Path, before: os.stat_result) -> None:
    """Check that a folder is the one that it was, and neither gone nor an empty one on which nothing is mounted."""
    if not folder.is_dir() or not os.path.samestat(folder.stat(), before):
        message = f"{folder} went away while it was read; bring it back and try again; nothing was changed"
        raise SourceGoneError(message)


def _walk(folder: Path) -> tuple[list[str], list[dict[str, str]]]:
    """Return the files below a folder, relative to it and sorted, and rows of what cannot be looked at."""
    unlisted: list[dict[str, str]] = []

    def on_error(path: Path, error: OSError) -> None:
        problem = f"cannot be listed ({type(error).__name__}: {error.strerror}); grant read access"
        unlisted.append({"file": _in_utf8(path.relative_to(folder).as_posix()), "problem": problem})

    above = len(str(folder / "x")) - 1
    names = []
    for path in walk_files(folder, on_error):
        name = str(path)[above:]
        if _in_utf8(name) == name:
            names.append(name)
        else:
            unlisted.append({"file": _in_utf8(name), "problem": "has a name that is not UTF-8; rename it"})
    return sorted(names), unlisted


def _in_utf8(name: str) -> str:
    """Return a file name as a table can hold it: bytes that are no UTF-8 as escapes."""
    return name if name.isascii() else name.encode(errors="surrogateescape").decode(errors="backslashreplace")


def _sorted(*tables: pa.Table) -> pa.Table:
    """Put tables together by file; one alone is in order already."""
    tables_with_rows = [table for table in tables if len(table)]
    if len(tables_with_rows) == 1:
        return tables_with_rows[0]
    return pa.concat_tables(tables_with_rows).sort_by("file")
