"""Atomic writes on a local file system: a killed process leaves the old file or the new one, never a part."""

import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


@contextmanager
def atomic_path(target: Path) -> Iterator[Path]:
    """Give a temporary path beside the target that replaces it when the block ends without an error.

    The temporary name ends like the target's, because writers choose the format by the suffix.

    Parameters
    ----------
    target : Path
        File to write; its folder is made if needed.

    Yields
    ------
    Path
        Where the block must write.

    Raises
    ------
    FileNotFoundError
        If the block wrote nothing.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.parent / f".{secrets.token_hex(6)}.partial.{target.name}"
    try:
        yield temporary
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.replace(target)
        _sync_folder(target.parent)
    finally:
        temporary.unlink(missing_ok=True)


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
