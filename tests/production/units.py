"""The services of `deploy/systemd`, started by the commands of their units and restarted as systemd would do it."""

import re
import shlex
import signal
import subprocess
import sys
import threading
import uuid
from contextlib import suppress
from pathlib import Path

import psutil

from tests.service import REPOSITORY

DEPLOY = REPOSITORY / "deploy"
BIN = Path(sys.executable).parent


class Unit:
    """One service unit, with what a test needs to run it: its command, and how it is restarted."""

    def __init__(self, name: str, root: Path) -> None:
        text = (DEPLOY / "systemd" / f"ct-assets-{name}.service").read_text()
        self.name, self.root = name, root
        self.settings = dict(re.findall(r"^([A-Za-z]+)=(.*)$", text.partition("[Service]")[2], re.MULTILINE))
        self.environment = dict(re.findall(r"^Environment=(\w+)=(.*)$", text, re.MULTILINE))
        assert self.settings["Restart"] == "on-failure"
        self.restart_seconds = float(self.settings["RestartSec"])

    def command(self, environment: dict[str, str]) -> list[str]:
        """The command of the unit with its variables filled in, its paths below the root of the test."""
        words = shlex.split(placed(self.settings["ExecStart"], self.root))
        return [re.sub(r"\$\{(\w+)\}", lambda found: environment[found[1]], word) for word in words]


def placed(text: str, root: Path) -> str:
    """Put the folders of an installed service elsewhere: the checkout, its environment, and a root of the test."""
    text = text.replace("/opt/ct-assets/.venv/bin", str(BIN)).replace("/opt/ct-assets", str(REPOSITORY))
    return re.sub(r"/(etc|var/lib)/ct-assets", lambda found: f"{root}/{found[1].rpartition('/')[2]}", text)


class Running:
    """A unit that runs: what ends with a failure is started again."""

    def __init__(self, unit: Unit, environment: dict[str, str], log: Path) -> None:
        self.unit, self.starts = unit, 0
        self._environment, self._log = {**unit.environment, **environment}, log
        self._away_seconds = 0.0
        self._ending = threading.Event()
        self._start()
        self._watch = threading.Thread(target=self._restart_on_failure)
        self._watch.start()

    @property
    def pid(self) -> int:
        """The main process."""
        return self._process.pid

    def kill(self, away_seconds: float = 0) -> None:
        """Kill everything in the unit, as the kernel does with a control group; it may take longer to come back."""
        self._away_seconds = away_seconds
        self._kill()

    def stop(self, seconds: float = 30) -> None:
        """Stop it for good: ask the main process, or all where the unit says so, then kill what is left."""
        self._ending.set()
        self._watch.join()
        members = self._members()
        for process in members[:1] if self.unit.settings.get("KillMode") == "mixed" else members:
            _signal(process, signal.SIGTERM)
        psutil.wait_procs(members, timeout=seconds)
        self.kill()
        self._process.wait()

    def _kill(self) -> None:
        for process in self._members():
            _signal(process, signal.SIGKILL)

    def _start(self) -> None:
        self.starts += 1
        self._invocation = uuid.uuid4().hex
        with self._log.open("a") as log:
            self._process = subprocess.Popen(
                self.unit.command(self._environment), cwd=REPOSITORY, stdout=log, stderr=subprocess.STDOUT,
                env={**self._environment, "INVOCATION_ID": self._invocation}, start_new_session=True,
            )  # fmt: skip

    def _members(self) -> list[psutil.Process]:
        """The processes of the unit, the main one first; like systemd's, they inherit the id of this start."""
        found: dict[int, psutil.Process] = {}
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                if process.environ().get("INVOCATION_ID") == self._invocation:
                    found |= {member.pid: member for member in (process, *process.children(recursive=True))}
        return sorted(found.values(), key=lambda process: process.pid != self.pid)

    def _restart_on_failure(self) -> None:
        while not self._ending.wait(0.5):
            if self._process.poll() is None:
                continue
            if not self._process.returncode:
                return
            self._kill()
            if not self._ending.wait(max(self.unit.restart_seconds, self._away_seconds)):
                self._start()


class Server:
    """All units on one machine, with the environment file of the example, changed where a test must."""

    def __init__(self, root: Path, changes: dict[str, str]) -> None:
        self.root, self.log = root, root / "log"
        example = (DEPLOY / "ct-assets.env.example").read_text()
        values = dict(re.findall(r"^(\w+)=(.*)$", placed(example, root), re.MULTILINE))
        assert set(changes) <= {*values, "PYTHONPATH"}, set(changes) - set(values)
        self.environment = {"PATH": "/usr/bin:/bin", "HOME": str(root), "LANG": "C.UTF-8", **values, **changes}
        self.units: dict[str, Running] = {}
        self.log.mkdir()

    def start(self, *names: str) -> None:
        """Start units."""
        for name in names:
            self.units[name] = Running(Unit(name, self.root), self.environment, self.log / f"{name}.log")

    def stop(self) -> None:
        """Stop all units, the last one first."""
        for unit in reversed(self.units.values()):
            unit.stop(seconds=10)

    def tail(self) -> str:
        """The end of every log, for the message of a failing test."""
        return "\n".join(f"--- {log.stem}\n{log.read_text()[-2000:]}" for log in sorted(self.log.iterdir()))


def _signal(process: psutil.Process, number: signal.Signals) -> None:
    with suppress(psutil.NoSuchProcess):
        process.send_signal(number)
