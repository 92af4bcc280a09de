"""Walk: the regular files below a folder, links followed, every folder once, no failure unnoticed."""

import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path


def walk_files(folder: Path, on_error: Callable[[Path, OSError], None]) -> Iterator[Path]:
    """Find the files below a folder.

    Links are followed, after all folders that are reached without one: so a folder with two names goes by its own,
    and links that lead in a circle end. Hidden files and folders are passed over, such as the folder of a fetch in
    progress, and so is what cannot be read as a file: pipes, devices, sockets. A file whose kind cannot be told, such
    as a broken link, is yielded, so that reading it names the fault.

    Parameters
    ----------
    folder : Path
        Folder to walk.
    on_error : callable
        Called with each folder that cannot be listed and the error; `os.walk` would take it for an empty one.

    Yields
    ------
    Path
        Files, below `folder`.
    """
    folders, links = [folder], list[Path]()
    visited: set[tuple[int, int]] = set()
    while folders or links:
        current = (folders or links).pop()
        try:
            status = current.stat()
            if (status.st_dev, status.st_ino) in visited:
                continue
            visited.add((status.st_dev, status.st_ino))
            with os.scandir(current) as listing:
                entries = sorted(listing, key=lambda entry: entry.name)
        except OSError as error:
            on_error(current, error)
            continue
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if _is_folder(entry):
                (links if entry.is_symlink() else folders).append(Path(entry.path))
            elif _is_regular(entry):
                yield Path(entry.path)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False


def _is_regular(entry: os.DirEntry[str]) -> bool:
    """Tell whether an entry is a regular file or may be one; most file systems say so without a further call."""
    try:
        return entry.is_file() or (entry.is_symlink() and stat.S_ISREG(entry.stat().st_mode))
    except OSError:
        return True
