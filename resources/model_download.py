"""Download a file of several GB from Zenodo: go on where an earlier try stopped, and hand over only what is whole."""

import logging
import shutil
import time
from pathlib import Path

from ct_assets.store.digest import file_digest
from resources.cloud_clients import RemoteError, TransientError
from resources.model_progress import Report, Step, unreported
from resources.zenodo import Zenodo, ZenodoFile

logger = logging.getLogger(__name__)

_PROGRESS = 1 << 20


class NoSpaceError(RuntimeError):
    """The disk has no room for what is to be written; the message says how much is needed."""


def require_space(folder: Path, size: int, purpose: str) -> None:
    """Check that a disk has room.

    Parameters
    ----------
    folder : Path
        Folder on it.
    size : int
        Bytes to be written.
    purpose : str
        What is to be written, for the message.

    Raises
    ------
    NoSpaceError
        If there is too little.
    """
    free = shutil.disk_usage(folder).free
    if size > free:
        message = (
            f"{folder}: {purpose} needs {size / 1e9:.2f} GB and {free / 1e9:.2f} GB are free; free some and try again"
        )
        raise NoSpaceError(message)


def download(zenodo: Zenodo, file: ZenodoFile, folder: Path, report: Report = unreported) -> Path:
    """Bring a file into a folder that nothing else uses, and check its size and MD5.

    The name has the MD5 in it, so what is there of it is always of the same content; parts of other content are
    removed. A connection that breaks is tried again, as long as each try brings some of the file, or patience lasts.

    Parameters
    ----------
    zenodo : Zenodo
        Where from.
    file : ZenodoFile
        What Zenodo says of it.
    folder : Path
        Where to.
    report : callable
        Called as bytes arrive, and as they are read again for the MD5.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    RemoteError
        If it cannot be had, or is not what Zenodo says; what arrived is kept if it can be continued.
    NoSpaceError
        If the disk has too little room for it.
    """
    part = folder / f"{file.md5}.part"
    for stale in [path for path in folder.iterdir() if path != part]:
        stale.unlink()
    if _size(part) > file.size:
        part.unlink()
    resumed = _size(part)
    # The archive is there until the model, which is hardly smaller, is unpacked.
    require_space(folder, 2 * file.size - resumed, f"{file.name}, packed and unpacked,")
    if resumed:
        logger.info("%s: %d of %d bytes are there", file.name, resumed, file.size)
    _complete(zenodo, file, part, report)
    found = reported_md5(part, report)
    if found != file.md5 and resumed:
        logger.warning("%s: what was there before was spoilt: from the start", file.name)
        part.unlink()
        _complete(zenodo, file, part, report)
        found = reported_md5(part, report)
    if found != file.md5:
        part.unlink()
        message = (
            f"{file.url}: MD5 is {found}, not {file.md5} as record {file.record} says; nothing was installed. "
            "Fetch again, and report it to Zenodo if it stays so"
        )
        raise RemoteError(message)
    return part


def reported_md5(path: Path, report: Report) -> str:
    """Return the MD5 of a file in hexadecimal digits, and tell how far it has come.

    Parameters
    ----------
    path : Path
        The file.
    report : callable
        Called with each piece that was read.
    """
    done, total = 0, path.stat().st_size

    def read(size: int) -> None:
        nonlocal done
        done += size
        report(Step.MD5, done, total)

    return file_digest(path, "md5", read)


def _complete(zenodo: Zenodo, file: ZenodoFile, part: Path, report: Report) -> None:
    """Append until the file has its size; patience begins anew whenever a try has brought more than any before."""
    most = _size(part)
    goal = most

    def attempt() -> None:
        nonlocal most
        try:
            _append(zenodo, file, part, report)
        finally:
            most = max(most, _size(part))

    def stuck() -> bool:
        return most < goal

    while True:
        goal = most + _PROGRESS
        try:
            return zenodo.persistently(attempt, again=stuck)
        except TransientError as error:
            if stuck():
                kept = f"; {_size(part)} of {file.size} bytes are kept, fetching again goes on from there"
                message = f"{error}{kept if _size(part) else ''}"
                raise type(error)(message) from error
            logger.info("%s: going on at byte %d: %s", file.name, _size(part), error)
            time.sleep(zenodo.patience.first_wait)


def _append(zenodo: Zenodo, file: ZenodoFile, part: Path, report: Report) -> None:
    start = _size(part)
    report(Step.DOWNLOADING, start, file.size)
    if start == file.size:
        part.touch()  # an empty file
        return
    with zenodo.open(file, start) as (begin, content), part.open("ab") as target:
        if begin < start:
            target.truncate(begin)
        done = begin
        for chunk in content:
            done += len(chunk)
            if done > file.size:
                target.truncate(0)
                message = f"{file.url}: more than {file.size} bytes came, which record {file.record} says it has"
                raise RemoteError(message)
            target.write(chunk)
            target.flush()
            report(Step.DOWNLOADING, done, file.size)
    if done < file.size:  # the server gave no length, so that nobody else could notice
        message = f"{file.url}: the connection broke at byte {done} of {file.size}"
        raise TransientError(message)


def _size(part: Path) -> int:
    return part.stat().st_size if part.is_file() else 0
