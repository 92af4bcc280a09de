"""Index pool: headers read chunk by chunk, by several processes where that is faster."""

import functools
import logging
import multiprocessing
import os
import signal
import sys
import threading
import time
import types
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from importlib.abc import MetaPathFinder
from multiprocessing.context import SpawnContext, SpawnProcess

import pyarrow as pa

from ct_assets.cohort_table.index.file_rows import read_batch

logger = logging.getLogger(__name__)

FILES_AT_ONCE = 256
"""Files in a chunk."""

POOL_IS_WORTH_S = 1.0
"""Seconds of reading ahead, in one process, from which on it pays to start others, which takes half a second."""


def default_workers() -> int:
    """Return the number of processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def read_batches(folder: str, schema: pa.Schema, names: Sequence[str], workers: int) -> Iterator[pa.RecordBatch]:
    """Read the headers of files; the rows do not depend on the number of workers.

    This process begins by itself. How long the first chunks take, which depends on the storage more than on anything
    else, tells whether the rest is worth starting other processes for.

    Parameters
    ----------
    folder : str
        Folder the files are in.
    schema : pyarrow.Schema
        Schema of the rows.
    names : sequence of str
        Files, relative to the folder.
    workers : int
        Processes to use at most; with 1 only this one reads.

    Yields
    ------
    pyarrow.RecordBatch
        Rows of a chunk, in the order of the names.
    """
    read = functools.partial(read_batch, folder, schema)
    chunks = [names[first : first + FILES_AT_ONCE] for first in range(0, len(names), FILES_AT_ONCE)]
    alone = workers < 2 or multiprocessing.current_process().daemon  # daemons must not have children
    started = time.perf_counter()
    for done, chunk in enumerate(chunks):
        if done and not alone:
            ahead_s = (time.perf_counter() - started) / done * (len(chunks) - done)
            if ahead_s > POOL_IS_WORTH_S:
                yield from _read_in_pool(read, chunks[done:], workers)
                return
        yield read(chunk)


def _read_in_pool(
    read: Callable[[Sequence[str]], pa.RecordBatch], chunks: list[Sequence[str]], workers: int
) -> Iterator[pa.RecordBatch]:
    done = 0
    pool = ProcessPoolExecutor(min(workers, len(chunks)), mp_context=_BareContext(), initializer=_begin)
    try:
        for future in [pool.submit(read, chunk) for chunk in chunks]:
            yield future.result()
            done += 1
    except (BrokenProcessPool, OSError) as error:
        message = "a process that reads headers ended (%s); this process reads the remaining %d of %d chunks by itself"
        logger.warning(message, error, len(chunks) - done, len(chunks))
        yield from map(read, chunks[done:])
    finally:
        pool.shutdown(cancel_futures=True)


class _BareProcess(SpawnProcess):
    """A fresh process that does not run the main module again.

    None of it is needed, but the main module of `ct-assets` would import Dagster, in 4 s and 190 MB, and a script
    without the `if __name__ == "__main__"` idiom would begin from the start.
    """

    def start(self) -> None:
        main = sys.modules["__main__"]
        sys.modules["__main__"] = types.ModuleType("__main__")
        try:
            super().start()
        finally:
            sys.modules["__main__"] = main


class _BareContext(SpawnContext):
    Process = _BareProcess


class _WithoutPandas(MetaPathFinder):
    """Keeps pandas from being imported: pyarrow would as soon as it makes an array, in a second, and does without."""

    def find_spec(self, fullname: str, path: object = None, target: object = None) -> None:  # noqa: ARG002
        if fullname == "pandas":
            raise ModuleNotFoundError(name=fullname)


def _begin() -> None:
    """Set up a worker process: it ends with its parent, however that ends, and leaves interrupts to it."""
    sys.meta_path.insert(0, _WithoutPandas())
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()

    def end_with_parent() -> None:
        if parent:
            parent.join()
            os._exit(1)

    threading.Thread(target=end_with_parent, daemon=True).start()
