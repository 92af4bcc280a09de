"""Atomic writes on a local file system: a killed process leaves the old file or the new one, never a part."""

import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ct_assets.store.leftovers import lock, sweep
from ct_assets.store.space import told_when_full

_TEMPORARY = ".{}.partial.{}"


@contextmanager
def atomic_path(target: Path) -> Iterator[Path]:
    """Give a temporary path beside the target that replaces it when the block ends without an error.

    The temporary name ends like the target's, because writers choose the format by the suffix. What killed processes
    left in the same folder goes.

    Parameters
    ----------
    target : Path
        File to write; its folder is made if needed.

    Yields
    ------
    Path
        Where the block must write: a file that is there already, and empty.

    Raises
    ------
    FileNotFoundError
        If the block wrote nothing.
    NoSpaceLeftError
        If the disk is full; the target is as it was.
    """
    with told_when_full(target.parent):
        target.parent.mkdir(parents=True, exist_ok=True)
        sweep(target.parent, _TEMPORARY.format("?" * 12, "*"))
        temporary, descriptor = _begin(target)
        try:
            yield temporary
            if os.fstat(descriptor).st_mtime_ns == 0:
                message = f"{target}: nothing was written"
                raise FileNotFoundError(message)
            os.fsync(descriptor)
            temporary.replace(target)
            _sync_folder(target.parent)
        finally:
            temporary.unlink(missing_ok=True)
            os.close(descriptor)


def write_bytes(target: Path, content: bytes) -> None:
    """Write bytes atomically.

    Parameters
    ----------
    target : Path
        File to write.
    content : bytes
        Its new content.
    """
    with atomic_path(target) as temporary:
        temporary.write_bytes(content)


def write_text(target: Path, content: str) -> None:
    """Write UTF-8 text atomically.

    Parameters
    ----------
    target : Path
        File to write.
    content : str
        Its new content.
    """
    write_bytes(target, content.encode())


def write_json(target: Path, content: dict[str, Any]) -> None:
    """Write strict JSON atomically, keys in the given order.

    Parameters
    ----------
    target : Path
        File to write.
    content : dict
        JSON-serializable content that has a ``schema_version``.

    Raises
    ------
    ValueError
        If a number is NaN or infinite, which JSON cannot express.
    """
    assert "schema_version" in content, f"{target.name} needs a schema_version"
    write_text(target, json.dumps(content, indent=1, allow_nan=False, ensure_ascii=False) + "\n")


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _begin(target: Path) -> tuple[Path, int]:
    """Make the temporary file and lock it as long as its descriptor is open, so that nobody sweeps it."""
    while True:
        temporary = target.parent / _TEMPORARY.format(secrets.token_hex(6), target.name)
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
        os.utime(descriptor, ns=(0, 0))  # any write changes it
        if lock(descriptor):
            return temporary, descriptor
        os.close(descriptor)  # another writer of the target took it for a leftover before it was locked
