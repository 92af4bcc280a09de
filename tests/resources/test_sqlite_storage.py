"""The SQLite storage whose files stay open: Dagster's own reads it, processes share it, a kill loses nothing."""

import signal
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest

from resources.sqlite_storage import OpenSqliteEventLog

OURS = {"storage": {"custom": {"module": "resources.sqlite_storage", "class": "OpenSqliteStorage"}}}
WRITER = """
import os, signal, sys
import dagster as dg
from tests.resources.test_sqlite_storage import opened
instance = opened(sys.argv[1])
for number in range(int(sys.argv[3])):
    instance.report_runless_asset_event(dg.AssetMaterialization("volume", partition=f"{sys.argv[2]}{number}"))
print("written", flush=True)
if sys.argv[4] == "die":
    os.kill(os.getpid(), signal.SIGKILL)
"""


def opened(folder: str | Path) -> dg.DagsterInstance:
    """An instance on our storage."""
    custom = {**OURS["storage"]["custom"], "config": {"base_dir": str(folder)}}
    return dg.DagsterInstance.local_temp(str(folder), overrides={"storage": {"custom": custom}})


@dg.asset(partitions_def=dg.DynamicPartitionsDefinition(name="series"))
def volume(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
    context.log.info("series %s", context.partition_key)
    return dg.MaterializeResult(metadata={"ml": 600.0})


def _materialize(instance: dg.DagsterInstance, uid: str) -> str:
    instance.add_dynamic_partitions("series", [uid])
    return dg.materialize([volume], partition_key=uid, instance=instance).run_id


def _events(instance: dg.DagsterInstance, run_id: str) -> list[str]:
    return [entry.message for entry in instance.all_logs(run_id)]


def test_dagsters_own_storage_reads_what_ours_wrote_and_the_other_way_round(tmp_path):
    ours, dagsters = opened(tmp_path), dg.DagsterInstance.local_temp(str(tmp_path))
    assert type(ours.event_log_storage) is OpenSqliteEventLog
    first, second = _materialize(ours, "1.2.1"), _materialize(dagsters, "1.2.2")
    for run_id in (first, second):
        assert _events(ours, run_id) == _events(dagsters, run_id)
        assert any(message.startswith("series 1.2.") for message in _events(ours, run_id))
    for instance in (ours, dagsters):
        assert instance.get_materialized_partitions(volume.key) == {"1.2.1", "1.2.2"}


def test_a_file_that_is_there_is_read_as_it_is(tmp_path, monkeypatch):
    """Dagster reads its migrations for every run that it opens, which made a list of failures take seconds."""
    run_id = _materialize(opened(tmp_path), "1.2.1")
    monkeypatch.setattr(OpenSqliteEventLog, "_initdb", lambda *_: pytest.fail("its tables are made again"))
    assert "series 1.2.1" in _events(opened(tmp_path), run_id)


def test_files_of_earlier_runs_do_not_stay_open(tmp_path):
    instance = opened(tmp_path)
    for number in range(8):
        _materialize(instance, f"1.2.{number}")
    names = {Path(link).name for link in _links() if str(tmp_path / "history/runs") in link}
    assert len({name.partition(".db")[0] for name in names}) == 2, names
    instance.dispose()
    assert not [link for link in _links() if str(tmp_path / "history/runs") in link]


def _links() -> list[str]:
    links = []
    for descriptor in Path("/proc/self/fd").iterdir():
        try:
            links.append(str(descriptor.readlink()))
        except FileNotFoundError:
            continue
    return links


def _write(folder: Path, prefix: str, count: int, end: str = "stay") -> subprocess.Popen[str]:
    command = [sys.executable, "-c", WRITER, str(folder), prefix, str(count), end]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2])


def test_two_processes_write_at_once_and_lose_nothing(tmp_path):
    instance = opened(tmp_path)
    writers = [_write(tmp_path, prefix, 40) for prefix in "ab"]
    for number in range(40):
        instance.report_runless_asset_event(dg.AssetMaterialization("volume", partition=f"c{number}"))
    assert [writer.wait(timeout=240) for writer in writers] == [0, 0]
    expected = {f"{prefix}{number}" for prefix in "abc" for number in range(40)}
    assert instance.get_materialized_partitions(dg.AssetKey("volume")) == expected


@pytest.mark.parametrize("reader", [opened, lambda folder: dg.DagsterInstance.local_temp(str(folder))])
def test_a_process_that_is_killed_has_lost_nothing_that_it_wrote(tmp_path, reader):
    writer = _write(tmp_path, "a", 10, "die")
    assert writer.stdout.read().strip() == "written"
    assert writer.wait(timeout=240) == -signal.SIGKILL
    assert len(reader(tmp_path).get_materialized_partitions(dg.AssetKey("volume"))) == 10
