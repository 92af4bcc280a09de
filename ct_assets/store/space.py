"""A full disk, said so that one knows which folder it is and what to do."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_DISK_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class NoSpaceLeftError(OSError):
    """A disk, or what its owner may use of it, is full; the message names the folder and the remedy."""


def is_disk_full(error: BaseException) -> bool:
    """Tell a full disk, an exhausted quota, and a file that is larger than the process may write.

    Parameters
    ----------
    error : BaseException
        What was raised.
    """
    return isinstance(error, OSError) and error.errno in _DISK_FULL


@contextmanager
def told_when_full(folder: Path) -> Iterator[None]:
    """Name the folder when the disk is full.

    Parameters
    ----------
    folder : Path
        Where the block writes.

    Raises
    ------
    NoSpaceLeftError
        If the disk is full.
    """
    try:
        yield
    except NoSpaceLeftError:
        raise
    except OSError as error:
        if not is_disk_full(error):
            raise
        message = (
            f"no space left in {folder} ({error.strerror}); free some and try again; what was there before is kept"
        )
        full = NoSpaceLeftError(message)
        full.errno = error.errno
        raise full from error
