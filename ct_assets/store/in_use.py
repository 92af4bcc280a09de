"""A folder of results that one process at a time may work on."""

import fcntl
import logging
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

logger = logging.getLogger(__name__)

_NAME = ".in_use"


class FolderInUseError(RuntimeError):
    """Another process works on the folder; the message names both, and the remedy."""


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Hold a folder against other calls; the kernel lets go of it when this process ends, however it ends.

    Parameters
    ----------
    folder : Path
        Folder of results; made if needed, and removed if it is still empty afterwards.

    Raises
    ------
    FolderInUseError
        If another process holds it.
    """
    path = folder / _NAME
    descriptor = _locked(path)
    try:
        since = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
        os.truncate(descriptor, 0)
        os.write(descriptor, f"process {os.getpid()} on {socket.gethostname()} since {since}".encode())
        yield
    finally:
        path.unlink(missing_ok=True)
        os.close(descriptor)
        with suppress(OSError):  # something was made
            folder.rmdir()


def _locked(path: Path) -> int:
    while True:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.read(descriptor, 200).decode(errors="replace") or "another process"
            os.close(descriptor)
            message = f"{path.parent} is being worked on by {holder}; wait until it has ended, or give another folder"
            raise FolderInUseError(message) from error
        except OSError as error:
            logger.warning("%s cannot be locked (%s): start nothing else that works on it", path.parent, error)
        if os.fstat(descriptor).st_nlink:
            return descriptor
        os.close(descriptor)  # the one before removed it between the two calls
