"""Faults, as functions that a process calls before it works."""

import os
import re
import signal
import time
from pathlib import Path

_FSYNC = os.fsync
_TEMPORARY = re.compile(r"\.[0-9a-f]{12}\.partial\.")


def killed_when_half_written(name: str) -> None:
    """End this process by kill -9 when half of a file of the store is on the disk, and nothing of it is in place."""

    def fsync(descriptor: int) -> None:
        path = Path(f"/proc/self/fd/{descriptor}").readlink()
        if _TEMPORARY.match(path.name) and _TEMPORARY.sub("", path.name) == name:
            os.ftruncate(descriptor, path.stat().st_size // 2)
            os.kill(os.getpid(), signal.SIGKILL)
        _FSYNC(descriptor)

    os.fsync = fsync


def killed_when_in_place(name: str) -> None:
    """End this process by kill -9 when a file has taken its place, and what describes it has not been written."""
    replace = Path.replace

    def and_die(path: Path, target: Path) -> Path:
        done = replace(path, target)
        if target.name == name:
            os.kill(os.getpid(), signal.SIGKILL)
        return done

    Path.replace = and_die  # type: ignore[method-assign]


def waits_when_half_written(name: str, held: Path, go: Path) -> None:
    """Stop this process when a file of the store has not taken its place, until somebody lets it go on."""

    def fsync(descriptor: int) -> None:
        if _TEMPORARY.sub("", Path(f"/proc/self/fd/{descriptor}").readlink().name) == name:
            held.touch()
            while not go.exists():
                time.sleep(0.02)
        _FSYNC(descriptor)

    os.fsync = fsync
