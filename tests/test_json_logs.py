"""Logs as JSON: in process, from several processes at once, from a run that Dagster starts, and of the command line."""

import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from ct_assets.json_logs import FIELDS, FILE_NAME, JsonFormatter, StateFile
from ct_assets.settings import settings
from resources.resident import ModelProcessDiedError
from tests.sensors.failing_runs import FailingRuns

REPOSITORY = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
UID = "1.2.840.1"


@pytest.fixture
def state(tmp_path, monkeypatch) -> Iterator[Path]:
    """A state of its own, and the project's dagster.yaml."""
    monkeypatch.setenv("DAGSTER_HOME", str(REPOSITORY))
    monkeypatch.setenv("CT_ASSETS_STATE", str(tmp_path))
    settings.cache_clear()
    yield tmp_path
    settings.cache_clear()


def _records(state: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (state / "logs" / FILE_NAME).read_bytes().split(b"\n")[:-1]]


def test_a_run_is_logged_with_what_it_is_about(state):
    with dg.DagsterInstance.get() as instance:
        runs = FailingRuns(instance)

        died = ModelProcessDiedError("the process ended\nin two lines — « et accents »")

        def organ_seg() -> None:
            logging.getLogger("ct_assets.organ_seg.segment").info("3 patches of %s", UID)
            raise died

        runs.organ_seg = organ_seg
        run = runs.run(UID)
    records = _records(state)
    of_steps = [record for record in records if "step" in record]
    assert {record["stage"] for record in of_steps} == {"organ_seg"}
    for record in of_steps:
        assert [record[name] for name in FIELDS] == ["mine", UID, "organ_seg", run]
    said = next(record for record in records if record["message"] == f"3 patches of {UID}")
    assert (said["level"], said["logger"], said["step"]) == ("INFO", "ct_assets.organ_seg.segment", "mine__organ_seg")
    assert said["time"].endswith("+00:00")
    failed = next(record for record in records if record.get("event") == "STEP_FAILURE")
    assert failed["error"] == {
        "class": "ModelProcessDiedError",
        "text": "the process ended\nin two lines — « et accents »",
    }
    ended = next(record for record in records if record.get("event") == "PIPELINE_FAILURE")
    assert [ended[name] for name in FIELDS] == ["mine", UID, None, run]


def test_a_run_that_dagster_starts_logs_to_the_same_file(state, tmp_path):
    """As the service does: another process, the project's dagster.yaml and code location, and a series that fails."""
    with dg.DagsterInstance.get() as instance:
        instance.add_dynamic_partitions("demo_series", [UID])
    command = ["asset", "materialize", "--select", "demo/ct_nifti", "--partition", UID, "-m", "ct_assets.definitions"]
    result = subprocess.run(
        [str(BIN / "dagster"), *command],
        cwd=REPOSITORY,
        env={**os.environ, "CT_ASSETS_HOME": str(tmp_path / "home"), "DAGSTER_DISABLE_TELEMETRY": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode != 0
    records = _records(state)
    of_steps = [record for record in records if "step" in record]
    assert of_steps
    for record in of_steps:
        assert [record[name] for name in FIELDS[:3]] == ["demo", UID, "ct_nifti"]
        assert len(record["run"]) == 36
    failed = next(record for record in records if record.get("event") == "STEP_FAILURE")
    assert failed["error"]["class"] == "SourceUnavailableError"
    assert failed["error"]["text"].startswith("collection demo: folder ")


def test_long_lines_of_several_processes_stay_whole(state):
    code = (
        "import logging; from ct_assets.json_logs import StateFile\n"
        "log = logging.getLogger('many'); log.addHandler(StateFile()); log.setLevel('INFO')\n"
        "for n in range(200): log.info('é' * 7000)"
    )
    processes = [subprocess.Popen([sys.executable, "-c", code], cwd=REPOSITORY) for _ in range(3)]
    assert [process.wait(timeout=120) for process in processes] == [0, 0, 0]
    records = _records(state)
    assert len(records) == 600
    assert {record["message"] for record in records} == {"é" * 7000}


def test_a_file_that_was_moved_away_is_begun_anew(state):
    handler = StateFile()
    for number in range(2):
        handler.emit(logging.makeLogRecord({"msg": str(number)}))
        (state / "logs" / FILE_NAME).rename(state / f"rotated.{number}")
    handler.close()
    assert [json.loads((state / f"rotated.{n}").read_text())["message"] for n in range(2)] == ["0", "1"]


def test_a_log_that_cannot_be_written_stops_nothing(state, capsys):
    (state / "logs").write_text("in the way")
    StateFile().emit(logging.makeLogRecord({"msg": "lost"}))
    assert "Logging error" in capsys.readouterr().err


def test_what_a_call_says_a_record_is_about_counts():
    record = logging.makeLogRecord({"msg": "x\ud800y", "series": UID, "stage": "bpr_json"})
    said = json.loads(JsonFormatter().format(record))
    assert [said[name] for name in FIELDS] == [None, UID, "bpr_json", None]
    assert said["message"] == "x\ud800y"


def _ct_assets(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(BIN / "ct-assets"), *arguments],
        cwd=REPOSITORY, env={**os.environ, **environment}, capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (["annotate", "/nowhere"], 1, "/nowhere: no such folder"),
        (["annotate", "--config", "4d", "x"], 2, "Invalid value for '--config'"),
    ],
)
def test_an_error_of_the_command_line_is_a_record(state, arguments, code, text):
    result = _ct_assets(*arguments, CT_ASSETS_LOG_FORMAT="json", CT_ASSETS_HOME=str(state))
    (record,) = [json.loads(line) for line in result.stderr.splitlines()]
    assert (result.returncode, record["level"]) == (code, "ERROR")
    assert text in record["message"]


def test_the_command_line_logs_as_text_where_nothing_else_is_asked_for(state):
    result = _ct_assets("annotate", "/nowhere")
    assert result.stderr.startswith("Error: /nowhere: no such folder")


def test_annotating_logs_json_of_its_series(state, tmp_path):
    """A phantom series that fails, because the device that is asked for is not there."""
    from ct_assets.demo.collection import CASES, DEFAULT_SEED, write_case

    write_case(tmp_path / "dicom", CASES[0], DEFAULT_SEED)
    options = ["--log-format", "json", "-v", "annotate", str(tmp_path / "dicom"), "--out", str(tmp_path / "out")]
    home = {"CT_ASSETS_HOME": str(tmp_path / "home"), "CT_ASSETS_DEVICE": "cuda", "CUDA_VISIBLE_DEVICES": ""}
    result = _ct_assets(*options, **home)
    assert result.returncode == 1, result.stderr[-2000:]
    # A library in C tells at the very end what it has not freed.
    logged, _, _ = result.stderr.partition("nanobind: leaked")
    records = [json.loads(line) for line in logged.splitlines()]
    of_series = [record for record in records if "step" in record and record["series"]]
    (failed,) = [record for record in records if record["level"] == "ERROR"]
    assert of_series
    for record in [*of_series, failed]:
        assert record["collection"] == "annotations"
        assert all(record[name] for name in FIELDS)
    assert "torch finds no CUDA device" in failed["message"]
    begun = [record["stage"] for record in records if record["message"].endswith(" begins")]
    assert begun[:2] == ["cohort_table", "ct_nifti"]
    assert failed["stage"] in begun[2:]
