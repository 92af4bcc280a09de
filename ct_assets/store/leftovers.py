"""What killed processes leave, told from what others still write by a lock that the kernel lets go with a process."""

import fcntl
import logging
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

logger = logging.getLogger(__name__)

_SCRATCH = ".ct-assets-scratch-"


def lock(descriptor: int) -> bool:
    """Lock a new file or folder against `sweep` until its descriptor is closed; False if it has been swept meanwhile.

    Where the file system has no locks, nothing is locked, and nothing is swept either.

    Parameters
    ----------
    descriptor : int
        Of the file or folder, open.
    """
    with suppress(OSError):
        fcntl.flock(descriptor, fcntl.LOCK_EX)
    return os.fstat(descriptor).st_nlink > 0


def sweep(folder: Path, pattern: str) -> None:
    """Remove files and folders that nobody holds locked any more.

    Parameters
    ----------
    folder : Path
        Where they are.
    pattern : str
        Their names, as of `glob`.
    """
    for path in folder.glob(pattern):
        with suppress(OSError):  # another process sweeps too, or it belongs to another user
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if path.is_dir():
                    shutil.rmtree(path)
                else:
                    path.unlink()
                logger.info("removed %s, which a process that was killed has left", path)
            finally:
                os.close(descriptor)


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """Give an empty folder on the local disk that is gone afterwards; what killed processes left there goes too.

    Yields
    ------
    Path
        Below the system's folder of temporary files (``TMPDIR``).
    """
    sweep(Path(tempfile.gettempdir()), f"{_SCRATCH}*")
    while True:
        folder = Path(tempfile.mkdtemp(prefix=_SCRATCH))
        descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
        if lock(descriptor):
            break
        os.close(descriptor)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(descriptor)
