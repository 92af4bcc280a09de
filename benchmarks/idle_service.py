"""The web server and the daemon on the idle chain, as a service runs them, to time a backfill."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import dagster as dg
import psutil

from benchmarks.new_instance import Instance
from tests.service import end, free_port
from tests.service_graphql import GraphQL

_BIN = Path(sys.executable).parent
_PATIENCE_SECONDS = 1200


@dataclass(frozen=True)
class Backfill:
    """What a backfill took per series: seconds from the first run's creation to the last one's end, and CPU seconds.

    ``run_seconds``: median of a run from its start to its end; ``total_seconds``: from the click to the end.
    """

    seconds: float
    cpu_seconds: float
    run_seconds: float
    total_seconds: float


class IdleService(GraphQL):
    """A running web server and daemon."""

    def __init__(self, url: str, processes: list[subprocess.Popen[bytes]]) -> None:
        super().__init__(url)
        self._processes = processes

    def time_backfill(self, uids: list[str], instance: dg.DagsterInstance) -> Backfill:
        """Materialize all assets of some series by a backfill, as the UI launches it, and time it."""
        began, cpu = time.time(), self._cpu_seconds()
        backfill_id = self.start_backfill(uids)
        found = self.backfill(backfill_id, _PATIENCE_SECONDS)
        cpu = self._cpu_seconds() - cpu
        assert found["status"] == "COMPLETED_SUCCESS", found
        records = instance.get_run_records(dg.RunsFilter(tags={"dagster/backfill": backfill_id}))
        assert len(records) == len(uids)
        last = max(record.end_time or 0 for record in records)
        first = min(record.create_timestamp.timestamp() for record in records)
        return Backfill(
            seconds=round((last - first) / len(uids), 2),
            cpu_seconds=round(cpu / len(uids), 2),
            run_seconds=round(median((record.end_time or 0) - (record.start_time or 0) for record in records), 2),
            total_seconds=round(last - began, 1),
        )

    def _cpu_seconds(self) -> float:
        """Return CPU seconds of all processes of the service, those that have ended included."""
        total = 0.0
        for root in self._processes:
            leader = psutil.Process(root.pid)
            for process in [leader, *leader.children(recursive=True)]:
                try:
                    total += sum(process.cpu_times()[:4])
                except psutil.NoSuchProcess:
                    continue  # its parent has what it took
        return total


@contextmanager
def serve_idle(place: Instance, folder: Path) -> Iterator[IdleService]:
    """Serve the idle chain until the block ends.

    Parameters
    ----------
    place : Instance
        Where the instance is.
    folder : Path
        For logs and the workspace file.
    """
    workspace = folder / "workspace.yaml"
    workspace.write_text("load_from:\n  - python_module: {module_name: benchmarks.idle_chain, location_name: idle}\n")
    port = free_port()
    variables = {**os.environ, **place.environment}
    commands = (
        [str(_BIN / "dagster-webserver"), "-w", str(workspace), "-h", "127.0.0.1", "-p", str(port)],
        [str(_BIN / "dagster-daemon"), "run", "-w", str(workspace)],
    )
    processes: list[subprocess.Popen[bytes]] = []
    with ExitStack() as stack:
        for command in commands:
            log = stack.enter_context((folder / f"{Path(command[0]).name}.log").open("w"))
            process = subprocess.Popen(command, env=variables, stdout=log, stderr=log, start_new_session=True)
            processes.append(process)
            stack.callback(end, process)
        service = IdleService(f"http://127.0.0.1:{port}", processes)
        deadline = time.monotonic() + 180
        while not service.knows_the_code():
            assert time.monotonic() < deadline, f"the web server does not answer; its log is in {folder}"
            time.sleep(1)
        yield service
