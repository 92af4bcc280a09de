"""Fetch series of the NCI Imaging Data Commons from its public buckets: every series whole, or not at all."""

import contextlib
import errno
import logging
import os
import shutil
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor, as_completed, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ct_assets.store.atomic import atomic_path
from ct_assets.store.uid import InvalidUidError, checked_uid
from resources.cloud_clients import DEFAULT_PATIENCE, PUBLIC_CLOUDS, Endpoints, Patience, RemoteError
from resources.fetch_progress import Progress, Tally
from resources.object_store import ObjectStore
from resources.remote_object import RemoteObject
from resources.series_folder import (
    PARTIAL,
    SeriesFolderError,
    check_replaceable,
    contents,
    is_intact,
    put_in_place,
    recover,
    second_name,
    series_lock,
)

logger = logging.getLogger(__name__)

_DISK_FULL = {errno.ENOSPC, errno.EDQUOT}


@dataclass(frozen=True)
class RemoteSeries:
    """A series in a public bucket.

    `url` is the folder of its objects, such as ``s3://idc-open-data/<crdc_series_uuid>/``; `instances` and `size` (in
    bytes, of all objects together) are what the metadata says of them, None where it says nothing.
    """

    series_instance_uid: str
    url: str
    instances: int | None = None
    size: int | None = None


@dataclass(frozen=True)
class Fetched:
    """What became of a series.

    `files` and `bytes` are what is in its folder or, if it failed, what is complete and kept for the next fetch.
    """

    series: RemoteSeries
    status: Literal["fetched", "present", "failed"]
    reason: str | None
    files: int
    bytes: int


def fetch_series(
    series: Sequence[RemoteSeries],
    folder: Path,
    *,
    endpoints: Endpoints = PUBLIC_CLOUDS,
    workers: int = 16,
    patience: Patience = DEFAULT_PATIENCE,
    progress: Callable[[Progress], None] | None = None,
) -> list[Fetched]:
    """Fetch series into ``<folder>/<SeriesInstanceUID>/``.

    A series appears when all its objects are there and checked: their number, their sizes, and their MD5 where the
    cloud gives one. Until then they are in ``<folder>/.partial``, where a fetch that was interrupted goes on. A series
    that is there in full is not asked for; one that is not is completed and replaced in one step. A series that fails
    stops no other, except when the disk is full.

    Parameters
    ----------
    series : sequence of RemoteSeries
        What to fetch.
    folder : Path
        Where to; made if needed.
    endpoints : Endpoints
        Where the clouds are.
    workers : int
        Most requests at a time; each holds at most 4 MiB in memory.
    patience : Patience
        How long to go on when a cloud does not answer.
    progress : callable, optional
        Called with the progress from the workers' threads, never twice at a time.

    Returns
    -------
    list of Fetched
        One for each of `series`, in their order.
    """
    tally = Tally([(one.instances, one.size) for one in series], progress)
    # A thread for each series that is under way, and `workers` threads for all their requests. The first only wait:
    # for a lock, while they hold none, and for requests, which never wait for a lock. So none waits for ever.
    with (
        ObjectStore(endpoints, patience, workers) as store,
        ThreadPoolExecutor(workers, "series") as threads,
        ThreadPoolExecutor(workers, "object") as requests,
    ):
        fetch = _Fetch(folder, store, requests, tally)
        try:
            return list(threads.map(fetch.series, series))
        except BaseException:
            store.cancelled.set()
            logger.warning("fetch broken off; waiting for the requests that are under way")
            threads.shutdown(wait=False, cancel_futures=True)
            raise


def fetch_file(
    url: str,
    target: Path,
    *,
    endpoints: Endpoints = PUBLIC_CLOUDS,
    sha256: str | None = None,
    patience: Patience = DEFAULT_PATIENCE,
) -> None:
    """Fetch one object; the file appears, or is replaced, when it is whole and checked.

    Parameters
    ----------
    url : str
        The object, ``s3://`` or ``gs://``.
    target : Path
        File to write; its folder is made if needed.
    endpoints : Endpoints
        Where the clouds are.
    sha256 : str, optional
        Hexadecimal digits that its content must have.
    patience : Patience
        How long to go on when the cloud does not answer.

    Raises
    ------
    RemoteError
        If the object cannot be had, or is not what its size or a digest says.
    """
    with ObjectStore(endpoints, patience, 1) as store:
        remote = store.describe(url)
        with atomic_path(target) as temporary, temporary.open("wb") as file:
            store.save(remote, file, sha256=sha256)


class _Fetch:
    """One call of `fetch_series`."""

    def __init__(self, folder: Path, store: ObjectStore, requests: Executor, tally: Tally) -> None:
        self._folder = folder
        self._store = store
        self._requests = requests
        self._tally = tally
        self._disk_full: str | None = None

    def series(self, series: RemoteSeries) -> Fetched:
        try:
            return self._fetch(series)
        except (RemoteError, SeriesFolderError, InvalidUidError) as error:
            # What the disk that ran full broke off did not fail for a reason of its own.
            reason = self._disk_full or str(error)
        except OSError as error:
            if error.errno in _DISK_FULL:
                self._disk_full = f"no space left in {self._folder}; free some and fetch again"
                self._store.cancelled.set()
            reason = self._disk_full or f"cannot write to {self._folder}: {error}; make it writable and fetch again"
        finally:
            self._tally.add(series=1)
        kept = self._kept(series)
        reason = f"series {series.series_instance_uid} ({series.url}): {reason}"
        if kept:
            reason += f" ({len(kept)} complete objects are kept)"
        return Fetched(series, "failed", reason, len(kept), sum(kept.values()))

    def _fetch(self, series: RemoteSeries) -> Fetched:
        uid = checked_uid(series.series_instance_uid)
        target, partial = self._folder / uid, self._folder / PARTIAL / uid
        with series_lock(partial.with_name(f"{uid}.lock"), self._store.cancelled):
            recover(partial, target)
            there = contents(target)
            if (len(there), sum(there.values())) == (series.instances, series.size):
                return self._present(series, there, partial)
            objects = self._requests.submit(self._store.listing, series.url).result()
            _check_listing(series, objects)
            expected = {remote.name: remote.size for remote in objects}
            self._tally.known((series.instances, series.size), expected)
            if there == expected:
                return self._present(series, there, partial)
            check_replaceable(target, expected)
            partial.mkdir(exist_ok=True)
            self._gather(objects, partial, target)
            for name in [path.name for path in partial.iterdir() if path.name not in expected]:
                (partial / name).unlink()
            put_in_place(partial, target)
            return Fetched(series, "fetched", None, len(expected), sum(expected.values()))

    def _present(self, series: RemoteSeries, there: dict[str, int], partial: Path) -> Fetched:
        shutil.rmtree(partial, ignore_errors=True)  # of a fetch that was killed after its last step
        self._tally.add(objects=len(there), size=sum(there.values()))
        return Fetched(series, "present", None, len(there), sum(there.values()))

    def _gather(self, objects: list[RemoteObject], partial: Path, target: Path) -> None:
        """Bring all objects into a folder; returns, and fails, only when no thread writes there any more."""
        futures: list[Future[None]] = [
            self._requests.submit(self._bring, remote, partial / remote.name, target / remote.name)
            for remote in objects
        ]
        try:
            for future in as_completed(futures):
                future.result()
        finally:
            for future in futures:
                future.cancel()
            wait(futures)

    def _bring(self, remote: RemoteObject, path: Path, present: Path) -> None:
        if is_intact(path, remote) or (is_intact(present, remote) and second_name(present, path)):
            self._tally.add(objects=1, size=remote.size)
        else:
            self._save(remote, path)

    def _save(self, remote: RemoteObject, path: Path) -> None:
        # The name is always the same, so that a half object never outlives the next fetch; the lock makes it safe.
        half = path.with_name(f".{path.name}.half")
        arrived = 0

        def count(size: int) -> None:
            nonlocal arrived
            arrived += size
            self._tally.add(size=size)

        try:
            with half.open("wb") as file:
                self._store.save(remote, file, arrived=count)
                file.flush()
                os.fsync(file.fileno())
            half.replace(path)
        except BaseException:
            half.unlink(missing_ok=True)
            self._tally.add(size=-arrived)
            raise
        self._tally.add(objects=1)

    def _kept(self, series: RemoteSeries) -> dict[str, int]:
        with contextlib.suppress(InvalidUidError, OSError):
            return contents(self._folder / PARTIAL / checked_uid(series.series_instance_uid))
        return {}


def _check_listing(series: RemoteSeries, objects: list[RemoteObject]) -> None:
    size = sum(remote.size for remote in objects)
    remedy = "select the series anew, its metadata and the bucket are of different versions; nothing was fetched"
    if series.instances not in {None, len(objects)}:
        message = f"the bucket holds {len(objects)} objects where {series.instances} are expected; {remedy}"
        raise RemoteError(message)
    if series.size not in {None, size}:
        message = f"the bucket holds {size} bytes in {len(objects)} objects where {series.size} are expected; {remedy}"
        raise RemoteError(message)
