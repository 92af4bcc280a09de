"""Run launcher: runs are processes of the code server, as Dagster has them, and one that has gone is noticed."""

import logging
import re
import socket
import time
from dataclasses import dataclass, field
from typing import Final

import psutil
from dagster import DagsterEventType, DagsterRun, DefaultRunLauncher
from dagster._core.errors import DagsterUserCodeUnreachableError
from dagster._core.launcher import CheckRunHealthResult, WorkerStatus
from dagster._grpc.client import DagsterGrpcClient
from dagster._serdes import ConfigurableClassData

logger = logging.getLogger(__name__)

_STARTED: Final = re.compile(r"Started process for run \(pid: (\d+)\)")
_CLOCK_SECONDS: Final = 60.0  # steps of the clock shift the start times that the system tells
_ANSWER_SECONDS: Final = 5
_LOOKS: Final = 2  # the daemon itself takes a moment to see that the code server is there again
_PATIENCE_SECONDS: Final = 600.0


@dataclass(frozen=True)
class RunProcess:
    """The process of a run, as its log tells: process number, and when it said so in seconds since 1970."""

    pid: int
    time: float

    @property
    def alive(self) -> bool:
        """Whether it is there: not ended, not a zombie, and not another process that got the same number later."""
        try:
            process = psutil.Process(self.pid)
            ended = process.status() == psutil.STATUS_ZOMBIE
            return not ended and float(process.create_time()) < self.time + _CLOCK_SECONDS
        except psutil.NoSuchProcess:
            return False


@dataclass
class _Gone:
    """A run whose process has gone: since when we know, and how many looks the code server has answered since."""

    since: float = field(default_factory=time.monotonic)
    answers: int = 0


class WatchedRunLauncher(DefaultRunLauncher):
    """Launches runs in processes of the code server, and tells the daemon when such a process has gone.

    Dagster's own launcher leaves this to the code server. When that is killed together with its runs, or could not
    reach the database at the moment, the runs would count as started for ever and keep their places in the pools.

    Only processes on this host can be looked at: a run of a code server elsewhere always counts as running, and so
    does one that no code server started.
    """

    def __init__(self, inst_data: ConfigurableClassData | None = None, patience: float = _PATIENCE_SECONDS) -> None:
        """Create the launcher; `patience` is how many seconds to wait for a code server that does not answer."""
        super().__init__(inst_data)
        self._patience = patience
        self._gone: dict[str, _Gone] = {}

    @property
    def supports_check_run_worker_health(self) -> bool:
        """The daemon asks `check_run_worker_health` where run monitoring is on."""
        return True

    def check_run_worker_health(self, run: DagsterRun) -> CheckRunHealthResult:
        """Tell whether the process of a started run is there.

        Parameters
        ----------
        run : DagsterRun
            The run.
        """
        process = self._process(run)
        if process is None:
            return CheckRunHealthResult(WorkerStatus.RUNNING, "its process is not on this host, or not known")
        if process.alive:
            return CheckRunHealthResult(WorkerStatus.RUNNING)
        if self._wait(run):
            logger.info("run %s: process %d is gone; waiting for the code server", run.run_id, process.pid)
            return CheckRunHealthResult(WorkerStatus.RUNNING, "its process is gone; waiting for the code server")
        message = (
            f"the process of the run (pid {process.pid}) is gone: killed, with its code server or for memory, or the "
            "machine was restarted; what it had written is whole"
        )
        return CheckRunHealthResult(WorkerStatus.NOT_FOUND, message)

    def _process(self, run: DagsterRun) -> RunProcess | None:
        """Return the last process that the log of a run names; none where it is not one of this host."""
        client = self._client(run)
        if client is None or not (client.socket or client.host in _own_names()):
            return None
        events = self._instance.all_logs(run.run_id, of_type=DagsterEventType.ENGINE_EVENT)
        started = [(found, event.timestamp) for event in events if (found := _STARTED.search(event.message))]
        if not started:
            return None
        found, timestamp = started[-1]
        return RunProcess(int(found[1]), timestamp)

    def _wait(self, run: DagsterRun) -> bool:
        """Tell whether the code server is to be waited for.

        Dagster asks it for the retry of a failed run once, and where it does not answer there is no retry.
        """
        gone = self._gone.setdefault(run.run_id, _Gone())
        gone.answers = gone.answers + 1 if self._server_answers(run) else 0
        if gone.answers < _LOOKS and time.monotonic() - gone.since < self._patience:
            return True
        del self._gone[run.run_id]
        return False

    def _server_answers(self, run: DagsterRun) -> bool:
        client = self._client(run)
        try:
            return client is not None and bool(client.get_server_id(timeout=_ANSWER_SECONDS))
        except DagsterUserCodeUnreachableError:
            return False

    def _client(self, run: DagsterRun) -> DagsterGrpcClient | None:
        """Return a client of the code server that started a run; none where the run has finished meanwhile."""
        client: DagsterGrpcClient | None = self._get_grpc_client_for_termination(run.run_id)  # type: ignore[no-untyped-call]
        return client


def _own_names() -> set[str]:
    return {"localhost", "127.0.0.1", "::1", socket.gethostname(), socket.getfqdn()}
