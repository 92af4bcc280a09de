"""Unchanged files: rows of an earlier header index that still hold."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

_STATUS_THREADS = 16
_FILES_AT_ONCE = 1024
_PASSING = r"^cannot be read \(\w+: \[Errno "
"""Problems of the storage, such as a permission: they may go away without a change of the file."""


def split_unchanged(folder: str, names: Sequence[str], previous: pa.Table) -> tuple[pa.Table, list[str]]:
    """Tell the files that an earlier index has as they are from those that are to be read.

    A file is unchanged if path, size and modification time are.

    Parameters
    ----------
    folder : str
        Folder the files are in.
    names : sequence of str
        Files, relative to the folder.
    previous : pyarrow.Table
        Earlier header index of any folder, in any order.

    Returns
    -------
    rows : pyarrow.Table
        Rows of `previous` that still hold, in the order of the names.
    changed : list of str
        The other names, in order.
    """
    files = pa.array(names, pa.string())
    found = pc.index_in(files, value_set=previous["file"])
    known = found.is_valid()
    found, candidates = found.drop_null(), files.filter(known)
    earlier = previous.select(["instance_size", "file_mtime_ns", "problem"]).take(found)
    sizes, times = _status(folder, candidates.to_pylist())
    same = pc.and_(pc.equal(earlier["instance_size"], sizes), pc.equal(earlier["file_mtime_ns"], times))
    passing = pc.match_substring_regex(earlier["problem"], _PASSING)
    same = pc.and_not(same.fill_null(False), passing.fill_null(False))
    unchanged = pc.is_in(files, value_set=candidates.filter(same))
    return previous.take(found.filter(same)), files.filter(pc.invert(unchanged)).to_pylist()


def _status(folder: str, names: list[str]) -> tuple[pa.Array, pa.Array]:
    """Return sizes and modification times, null where there is none; many at once, as a network answers slowly."""

    def look(chunk: list[str]) -> list[tuple[int | None, int | None]]:
        return [_look(f"{folder}/{name}") for name in chunk]

    chunks = [names[first : first + _FILES_AT_ONCE] for first in range(0, len(names), _FILES_AT_ONCE)]
    with ThreadPoolExecutor(_STATUS_THREADS) as pool:
        status = list(chain.from_iterable(pool.map(look, chunks)))
    return pa.array([size for size, _ in status], pa.int64()), pa.array([time for _, time in status], pa.int64())


def _look(path: str) -> tuple[int | None, int | None]:
    try:
        status = Path(path).stat()
    except OSError:
        return None, None
    return status.st_size, status.st_mtime_ns
