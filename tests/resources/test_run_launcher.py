"""The launcher tells runs whose process has gone from those that work, with real processes and a real code server."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import psutil
import pytest
from dagster._core.launcher import WorkerStatus
from dagster._core.storage.tags import GRPC_INFO_TAG

from resources.run_launcher import RunProcess, WatchedRunLauncher
from tests.service import free_port

LOCATION = (
    "import dagster as dg\n\n\n@dg.asset\ndef nothing() -> None: ...\n\n\ndefs = dg.Definitions(assets=[nothing])\n"
)


@pytest.fixture(scope="module")
def code_server(tmp_path_factory) -> Iterator[int]:
    """Port of a code server."""
    folder, port = tmp_path_factory.mktemp("location"), free_port()
    (folder / "location.py").write_text(LOCATION)
    command = [sys.executable, "-m", "dagster", "api", "grpc", "-h", "127.0.0.1", "-p", str(port), "-f", "location.py"]
    with subprocess.Popen(command, cwd=folder, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as server:
        yield port
        server.terminate()


@pytest.fixture
def instance(tmp_path) -> Iterator[dg.DagsterInstance]:
    launcher = {"module": "resources.run_launcher", "class": "WatchedRunLauncher"}
    with dg.DagsterInstance.local_temp(str(tmp_path), overrides={"run_launcher": launcher}) as made:
        assert isinstance(made.run_launcher, WatchedRunLauncher)
        yield made


@pytest.fixture
def worker() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]) as process:
        yield process
        process.kill()


def _started(instance: dg.DagsterInstance, pid: int, port: int, host: str = "127.0.0.1") -> dg.DagsterRun:
    """A run as the code server starts it: in a process that its log names."""
    run = instance.create_run_for_job(_job(), status=dg.DagsterRunStatus.STARTED)
    instance.add_run_tags(run.run_id, {GRPC_INFO_TAG: json.dumps({"host": host, "port": port})})
    instance.report_engine_event(f"Started process for run (pid: {pid}).", run)
    found = instance.get_run_by_id(run.run_id)
    assert found is not None
    return found


def _job() -> dg.JobDefinition:
    @dg.job
    def work() -> None: ...

    return work


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()


def _server_is_there(port: int) -> None:
    from dagster._grpc.client import DagsterGrpcClient

    deadline = time.monotonic() + 120
    while True:
        try:
            DagsterGrpcClient(port=port, host="127.0.0.1").get_server_id(timeout=5)
        except dg.DagsterError:
            assert time.monotonic() < deadline
            time.sleep(0.5)
        else:
            return


def test_a_run_whose_process_works_is_running(instance, worker, code_server):
    run = _started(instance, worker.pid, code_server)
    assert instance.run_launcher.supports_check_run_worker_health
    for _ in range(3):
        assert instance.run_launcher.check_run_worker_health(run).status == WorkerStatus.RUNNING


def test_a_run_whose_process_was_killed_is_gone_once_the_code_server_is_there_for_its_retry(
    instance, worker, code_server
):
    _server_is_there(code_server)
    run = _started(instance, worker.pid, code_server)
    _end(worker)
    first, second = (instance.run_launcher.check_run_worker_health(run) for _ in range(2))
    assert (first.status, first.msg) == (WorkerStatus.RUNNING, "its process is gone; waiting for the code server")
    assert second.status == WorkerStatus.NOT_FOUND
    assert second.msg is not None
    assert second.msg.startswith(f"the process of the run (pid {worker.pid}) is gone")


def test_a_code_server_that_does_not_answer_is_waited_for_but_not_for_ever(instance, worker):
    run = _started(instance, worker.pid, free_port())
    _end(worker)
    assert {instance.run_launcher.check_run_worker_health(run).status for _ in range(4)} == {WorkerStatus.RUNNING}
    impatient = WatchedRunLauncher(patience=0)
    impatient.register_instance(instance)
    assert impatient.check_run_worker_health(run).status == WorkerStatus.NOT_FOUND


def test_a_run_of_a_code_server_on_another_host_counts_as_running(instance, worker):
    _end(worker)
    run = _started(instance, worker.pid, 4000, host="another-host")
    assert instance.run_launcher.check_run_worker_health(run).status == WorkerStatus.RUNNING


def test_a_run_that_no_code_server_started_counts_as_running(instance):
    run = instance.create_run_for_job(_job(), status=dg.DagsterRunStatus.STARTED)
    assert instance.run_launcher.check_run_worker_health(run).status == WorkerStatus.RUNNING


def test_a_run_whose_log_names_no_process_yet_counts_as_running(instance):
    run = instance.create_run_for_job(_job(), status=dg.DagsterRunStatus.STARTED)
    instance.add_run_tags(run.run_id, {GRPC_INFO_TAG: json.dumps({"host": "localhost", "port": 4000})})
    assert instance.run_launcher.check_run_worker_health(run).status == WorkerStatus.RUNNING


def test_the_last_process_that_the_log_names_counts(instance, worker, code_server):
    with subprocess.Popen(["true"]) as ended:
        pass
    run = _started(instance, ended.pid, code_server)
    instance.report_engine_event(f"Started process for run (pid: {worker.pid}).", run)
    assert instance.run_launcher.check_run_worker_health(run).status == WorkerStatus.RUNNING


def test_a_process_that_got_the_same_number_later_is_another(worker):
    born = psutil.Process(worker.pid).create_time()
    assert RunProcess(worker.pid, born + 1).alive
    assert not RunProcess(worker.pid, born - 3600).alive


def test_a_process_that_nobody_has_waited_for_has_ended(worker):
    started = time.time()
    assert RunProcess(worker.pid, started).alive
    worker.kill()
    deadline = time.monotonic() + 30
    while psutil.Process(worker.pid).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline
    assert Path(f"/proc/{worker.pid}").is_dir()
    assert not RunProcess(worker.pid, started).alive
