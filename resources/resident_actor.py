"""The process of a resident model: loads it once, answers calls, and ends itself when it can be of no more use."""

import contextlib
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import ray

from resources.resident import Resident

logger = logging.getLogger(__name__)

CONTROL: Final = "control"
"""Concurrency group of `state` and `end`, which are answered while calls run."""

_DEVICE_LOST: Final = "CUDA error"  # after one of these every further call of the same process fails
_PACKAGES: Final = ("ct_assets", "resources")


@dataclass(frozen=True)
class Begun:
    """First answer to a call: the work on it has begun in this process."""

    pid: int
    log: str
    loads: bool


@dataclass(frozen=True)
class OfNoMoreUse:
    """Answer before an error: this process takes no more calls; whoever reads it shall `end` it.

    It cannot call its own `end`: Ray would let it wait for that call before it exits, for ever.
    """


@dataclass(frozen=True)
class State:
    """What a process has done, and what it was given."""

    pid: int
    loads: int
    calls: int
    running: int
    gpus: float
    log: str


class ResidentActor:
    """Holds one loaded model in a process of its own.

    Parameters
    ----------
    resident : Resident
        Which model. It is loaded by the first call, so that an error of loading reaches the caller as it is.
    """

    def __init__(self, resident: Resident) -> None:
        _log_to_session()
        _use_all_cores()
        if resident.device == "cpu":
            os.environ["CUDA_VISIBLE_DEVICES"] = ""
        self._resident = resident
        self._predict: Callable[..., Any] | None = None
        self._counting = threading.Lock()  # `state` is answered by another thread
        self._loads = self._calls = self._running = 0
        self._closed = False

    def run(self, *inputs: Any) -> Iterator[Any]:
        """Yield a `Begun`, then the model's answer; nothing if this process takes no more calls.

        A call of which no `Begun` has arrived can be given to another process if this one dies: it had no part in it.
        """
        if self._closed:
            return
        yield Begun(os.getpid(), _log_file(), loads=self._predict is None)
        if self._predict is None:
            try:
                self._predict = self._load()
            except Exception:
                self._closed = True  # whatever is wrong, the next call begins in a process without a past
                yield OfNoMoreUse()
                raise
        with self._counted():
            try:
                answer = self._predict(*inputs)
            except Exception as error:
                if _DEVICE_LOST in str(error):
                    self._closed = True
                    yield OfNoMoreUse()
                raise
        yield answer

    def state(self) -> State:
        """Return what this process has done so far."""
        gpus = float(ray.get_runtime_context().get_assigned_resources().get("GPU", 0))
        with self._counting:
            return State(os.getpid(), self._loads, self._calls, self._running, gpus, _log_file())

    def end(self) -> None:
        """End this process after the calls that have begun; its name is free for another then."""
        logger.info("ending %s", self._resident.key)
        ray.actor.exit_actor()

    def _load(self) -> Callable[..., Any]:
        started = time.monotonic()
        self._retire_other_versions()
        predict = self._resident.load()
        self._loads += 1
        logger.info("loaded %s in %.1f s", self._resident.key, time.monotonic() - started)
        return predict

    def _retire_other_versions(self) -> None:
        """End the processes that hold the same model in another version, whose weights have been replaced."""
        for name in ray.util.list_named_actors():
            if name.startswith(f"{self._resident.family}-") and name != self._resident.key:
                with contextlib.suppress(ValueError):  # it has ended since
                    ray.get_actor(name).end.options(concurrency_group=CONTROL).remote()

    @contextlib.contextmanager
    def _counted(self) -> Iterator[None]:
        with self._counting:
            self._calls += 1
            self._running += 1
        try:
            yield
        finally:
            with self._counting:
                self._running -= 1


def _use_all_cores() -> None:
    """Undo what Ray does to an actor that reserves no core: it gives the libraries in it one thread.

    A model on a CPU works for one run at a time, and shall have all of it.
    """
    if os.environ.get("OMP_NUM_THREADS") == "1":
        del os.environ["OMP_NUM_THREADS"]


def _log_to_session() -> None:
    """Log what our packages do to the standard error of this process, which Ray keeps in a file of the session."""
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s", force=True)
    for package in _PACKAGES:
        logging.getLogger(package).setLevel(logging.INFO)


def _log_file() -> str:
    return str(Path("/proc/self/fd/2").readlink())
