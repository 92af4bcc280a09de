"""Run a command and measure it with all its processes: seconds, and the most memory that they held at a time."""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_EVERY_SECONDS = 0.1


@dataclass(frozen=True)
class Measured:
    """What a command took.

    `peak_gb` counts pages that processes share once (proportional set size, summed over the tree). `too_large` says
    that it was ended because it held more than it was allowed to.
    """

    seconds: float
    peak_gb: float
    too_large: bool = False


def measure(
    command: Sequence[str], log: Path, environment: Mapping[str, str] | None = None, largest_gb: float = 1e9
) -> Measured:
    """Run a command to its end.

    Parameters
    ----------
    command : sequence of str
        Program and arguments.
    log : Path
        Where its output goes.
    environment : mapping, optional
        Variables beside those of this process.
    largest_gb : float
        Memory above which it is ended.

    Raises
    ------
    SystemExit
        If it fails; the message names the log.
    """
    started = time.perf_counter()
    with log.open("w") as output:
        process = subprocess.Popen(
            command, stdout=output, stderr=output, env={**os.environ, **(environment or {})}, start_new_session=True
        )
    peak, too_large, ended = 0, False, threading.Event()

    def watch() -> None:
        nonlocal peak, too_large
        while not ended.wait(_EVERY_SECONDS):
            peak = max(peak, sum(_pss(pid) for pid in _session(process.pid)))
            if peak > largest_gb * 1e9 and not too_large:
                too_large = True
                os.killpg(process.pid, signal.SIGKILL)

    watcher = threading.Thread(target=watch)
    watcher.start()
    status = process.wait()
    seconds = time.perf_counter() - started
    ended.set()
    watcher.join()
    if status and not too_large:
        message = f"{command[0]} failed with {status}; its output is in {log}: {log.read_text()[-2000:]}"
        raise SystemExit(message)
    return Measured(round(seconds, 2), round(peak / 1e9, 2), too_large)


def _session(leader: int) -> list[int]:
    """Return the processes of a session: all that a command has started, as long as none leaves it."""
    return [int(folder.name) for folder in Path("/proc").glob("[0-9]*") if _session_of(int(folder.name)) == leader]


def _session_of(pid: int) -> int | None:
    try:
        return os.getsid(pid)
    except OSError:
        return None


def _pss(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:  # it has ended
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:")), 0)
