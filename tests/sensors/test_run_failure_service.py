"""The run_failure sensor as the service runs it: Dagster's daemon, the project's workspace, a webhook on loopback."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg

from tests.resources.webhook_server import SECRET, webhook_server

REPOSITORY = Path(__file__).resolve().parent.parent.parent
BIN = Path(sys.executable).parent
UID = "1.2.840.1"


@contextmanager
def _daemon(state: Path, environment: dict[str, str]) -> Iterator[None]:
    with (state / "daemon.log").open("w") as log:
        command = [str(BIN / "dagster-daemon"), "run", "-w", "workspace.yaml"]
        process = subprocess.Popen(command, cwd=REPOSITORY, env=environment, stdout=log, stderr=subprocess.STDOUT)
        yield
        process.terminate()
        process.wait(timeout=120)


def _wait(until: Callable[[], object], what: str, state: Path) -> None:
    deadline = time.monotonic() + 240
    while not until():
        assert time.monotonic() < deadline, f"{what}: {(state / 'daemon.log').read_text()[-4000:]}"
        time.sleep(0.5)


def test_the_daemon_tells_of_a_run_that_failed_without_being_bidden(tmp_path, monkeypatch):
    monkeypatch.setenv("DAGSTER_HOME", str(REPOSITORY))
    monkeypatch.setenv("CT_ASSETS_STATE", str(tmp_path))
    with webhook_server() as server, dg.DagsterInstance.get() as instance:
        environment = {
            **os.environ,
            "PATH": f"{BIN}:{os.environ['PATH']}",
            "CT_ASSETS_HOME": str(tmp_path / "home"),
            "CT_ASSETS_WEBHOOK_URL": server.url,
            "CT_ASSETS_UI_URL": "http://127.0.0.1:3000",
        }
        instance.add_dynamic_partitions("demo_series", [UID])

        def begun() -> bool:
            return any(
                state.instigator_name == "run_failure" and state.instigator_data and state.instigator_data.cursor
                for state in instance.all_instigator_state()
            )

        with _daemon(tmp_path, environment):
            _wait(begun, "the sensor does not begin", tmp_path)
            launch = ["job", "launch", "-w", "workspace.yaml", "-j", "demo_series_annotate"]
            subprocess.run(
                [str(BIN / "dagster"), *launch, "--tags", json.dumps({"dagster/partition": UID})],
                cwd=REPOSITORY, env=environment, check=True, capture_output=True,
            )  # fmt: skip
            _wait(lambda: server.told, "nobody is told", tmp_path)
    (alarm,) = server.told
    assert (alarm["collection"], alarm["series"], alarm["stage"]) == ("demo", UID, "ct_nifti")
    assert alarm["runbook"] == "docs/runbooks/dicom-source-unreachable.md"
    assert alarm["url"] == f"http://127.0.0.1:3000/runs/{alarm['run']}"
    kept = [path for path in tmp_path.rglob("*") if path.is_file() and SECRET.encode() in path.read_bytes()]
    assert kept == [], "the address of the webhook is a secret"
