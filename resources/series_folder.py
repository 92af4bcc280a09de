"""Folders of fetched series: one fetch at a time, and a folder appears or changes as a whole."""

import contextlib
import ctypes
import errno
import fcntl
import logging
import os
import shutil
import sys
import threading
from collections.abc import Collection, Iterator
from pathlib import Path

from ct_assets.store.digest import file_digest
from resources.object_store import FetchCancelledError
from resources.remote_object import RemoteObject

logger = logging.getLogger(__name__)

PARTIAL = ".partial"
"""Folder, beside the series, of what is not complete yet."""

_POLL_SECONDS = 0.1
_AT_FDCWD = -100
_RENAME_EXCHANGE = 2


class SeriesFolderError(RuntimeError):
    """A series cannot be put where it belongs; the message names the folder and the remedy."""


@contextlib.contextmanager
def series_lock(path: Path, cancelled: threading.Event) -> Iterator[None]:
    """Hold a series against other fetches, of this process or another; wait for one that holds it.

    The kernel lets go of the lock of a killed process. It is polled, so that a fetch that is cancelled does not wait.

    Parameters
    ----------
    path : Path
        Lock file; gone afterwards.
    cancelled : threading.Event
        Ends the waiting.

    Raises
    ------
    FetchCancelledError
        If `cancelled` was set while waiting.
    """
    descriptor = _locked(path)
    if descriptor is None:
        logger.info("%s is held by another fetch: waiting for it", path)
    while descriptor is None:
        if cancelled.wait(_POLL_SECONDS):
            raise FetchCancelledError(str(path))
        descriptor = _locked(path)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
        os.close(descriptor)
        with contextlib.suppress(OSError):  # another series is still in it
            path.parent.rmdir()


def _locked(path: Path) -> int | None:
    """Lock a file; None if another has it, or had it and removed it, and perhaps the empty folder, meanwhile."""
    path.parent.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(FileExistsError):
        path.parent.mkdir()
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.path.samestat(os.fstat(descriptor), path.stat()):
            return descriptor
    except (BlockingIOError, FileNotFoundError):
        pass
    except BaseException:
        os.close(descriptor)
        raise
    os.close(descriptor)
    return None


def contents(folder: Path) -> dict[str, int]:
    """Return the size in bytes of every visible file; -1 for a folder, empty if there is no such folder.

    Parameters
    ----------
    folder : Path
        Folder of a series.
    """
    if not folder.is_dir():
        return {}
    with os.scandir(folder) as entries:
        return {
            entry.name: entry.stat().st_size if entry.is_file() else -1
            for entry in entries
            if not entry.name.startswith(".")
        }


def is_intact(path: Path, remote: RemoteObject) -> bool:
    """Tell whether a file is the whole object, by its size and, where it is known, its MD5.

    Parameters
    ----------
    path : Path
        File, which need not exist.
    remote : RemoteObject
        What it should be.
    """
    if not path.is_file() or path.stat().st_size != remote.size:
        return False
    return remote.md5 is None or file_digest(path, "md5") == remote.md5


def check_replaceable(target: Path, names: Collection[str]) -> None:
    """Check that nothing is lost when the folder of a series is replaced.

    Objects of an earlier version of the series, which have other names, may go; what a person put there may not.

    Parameters
    ----------
    target : Path
        Folder of the series, which need not exist.
    names : collection of str
        Names of the series' objects.

    Raises
    ------
    SeriesFolderError
        If the folder is none, or has something else in it.
    """
    if target.is_symlink() or (target.exists() and not target.is_dir()):
        message = f"{target} is not a folder of its own; move it elsewhere and fetch again"
        raise SeriesFolderError(message)
    strange = sorted(name for name in contents(target) if name not in names and not name.endswith(".dcm"))
    if strange:
        message = f"{target} holds {strange[0]}, which is no object of the series; move it elsewhere and fetch again"
        raise SeriesFolderError(message)


def second_name(present: Path, path: Path) -> bool:
    """Give a file of the series' folder a second name, where the file system can; tell whether it did.

    Parameters
    ----------
    present : Path
        The file.
    path : Path
        Its second name, replaced if it exists.
    """
    try:
        path.unlink(missing_ok=True)
        os.link(present, path)
    except OSError:
        return False
    return True


def put_in_place(complete: Path, target: Path) -> None:
    """Make a complete folder the folder of the series, in one step; what was there before is removed afterwards.

    Parameters
    ----------
    complete : Path
        Folder below `PARTIAL`.
    target : Path
        Folder of the series, which may exist.
    """
    sync_folder(complete)
    if not target.exists():
        complete.rename(target)
    else:
        if not _exchanged(complete, target):
            # Not one step, but `recover` puts back what was there if this process ends between the two.
            target.rename(_replaced(complete))
            complete.rename(target)
        sync_folder(target.parent)
        shutil.rmtree(_replaced(complete), ignore_errors=True)
        shutil.rmtree(complete, ignore_errors=True)
    sync_folder(target.parent)


def recover(partial: Path, target: Path) -> None:
    """Undo what a process that was killed in `put_in_place` left.

    Parameters
    ----------
    partial : Path
        Folder of the series below `PARTIAL`.
    target : Path
        Folder of the series.
    """
    replaced = _replaced(partial)
    if replaced.exists() and target.exists():
        shutil.rmtree(replaced)
    elif replaced.exists():
        replaced.rename(target)


def sync_folder(folder: Path) -> None:
    """Bring the names in a folder to the disk.

    Parameters
    ----------
    folder : Path
        The folder.
    """
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _replaced(partial: Path) -> Path:
    return partial.with_name(f"{partial.name}.replaced")


def _exchanged(one: Path, other: Path) -> bool:
    """Exchange two folders in one step, which Linux can on most file systems; tell whether it did."""
    if sys.platform != "linux":
        return False
    try:
        renameat2 = ctypes.CDLL(None, use_errno=True).renameat2
    except AttributeError:
        return False
    if renameat2(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _RENAME_EXCHANGE) == 0:
        return True
    number = ctypes.get_errno()
    if number in {errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP}:
        return False
    raise OSError(number, os.strerror(number), str(other))
