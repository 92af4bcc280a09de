"""The processes of a running service: what its runs map into memory, and what its resident models have done."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parent.parent
STATES = """
import dataclasses, json, sys
from resources.ray_models import states
print("states", json.dumps({key: dataclasses.asdict(state) for key, state in states(sys.argv[1]).items()}))
"""


class Seen:
    """Processes of the service outside Ray: command by process, and which of them mapped torch."""

    def __init__(self) -> None:
        self.commands: dict[int, str] = {}
        self.with_torch: set[int] = set()


@contextmanager
def watch(pid: int) -> Iterator[Seen]:
    """Look at the processes below one, but those of `ray start`, until the block ends."""
    seen, ended = Seen(), threading.Event()

    def look() -> None:
        while not ended.wait(0.3):
            for process in _below(pid, leave_out="ray start"):
                seen.commands[process] = _command(process)
                if "libtorch" in _read(process, "maps"):
                    seen.with_torch.add(process)

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield seen
    finally:
        ended.set()
        thread.join()


def resident_models(address: str, token: Path) -> dict[str, Any]:
    """State of each resident model; asked in a process of its own, so that Ray stays out of the tests'."""
    environment = {**os.environ, "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(token)}
    answer = subprocess.run(
        [sys.executable, "-c", STATES, address], cwd=REPOSITORY, env=environment, capture_output=True, text=True,
        check=True, timeout=120,
    )  # fmt: skip
    line = next(line for line in answer.stdout.splitlines() if line.startswith("states "))
    return dict(json.loads(line.removeprefix("states ")))


def _below(pid: int, *, leave_out: str) -> set[int]:
    children: dict[int, list[int]] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        fields = _read(int(folder.name), "stat").rpartition(")")[2].split()
        if fields:
            children.setdefault(int(fields[1]), []).append(int(folder.name))
    found, waiting = set(), [pid]
    while waiting:
        process = waiting.pop()
        if leave_out not in _command(process):
            found.add(process)
            waiting += children.get(process, [])
    return found


def _command(pid: int) -> str:
    return _read(pid, "cmdline").replace("\0", " ")


def _read(pid: int, name: str) -> str:
    try:
        return Path(f"/proc/{pid}/{name}").read_text(errors="replace")
    except OSError:  # it has ended
        return ""
