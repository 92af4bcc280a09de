"""Two calls at once, and a call beside the service: nothing is worked on twice at the same time."""

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import dagster as dg

from ct_assets import run
from ct_assets.definitions import collection_definitions
from ct_assets.outcome import CohortOutcome
from ct_assets.partitions import Scope
from ct_assets.store.in_use import FolderInUseError
from tests.faults.chain import Chain, given
from tests.faults.contents import said, visible
from tests.faults.strike import killed_when_half_written, waits_when_half_written


def _wait_for(done: Callable[[], Any]) -> None:
    deadline = time.monotonic() + 120
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def _refused(chain: Chain) -> str:
    with dg.DagsterInstance.ephemeral() as instance:
        try:
            run.annotate(chain.collection, instance=instance, resources=given(chain))
        except FolderInUseError as error:
            return str(error)
    return "not refused"


def _annotate_in(chain: Chain, state: Path) -> CohortOutcome:
    """With runs that are recorded on disk, as the demo's are."""
    with dg.DagsterInstance.local_temp(str(state)) as instance:
        return run.annotate(chain.collection, instance=instance, resources=given(chain))


def _runs(chain: Chain, state: Path) -> list[tuple[str, str]]:
    with dg.DagsterInstance.local_temp(str(state)) as instance:
        return sorted((record.job_name, record.status.value) for record in instance.get_runs())


def _run_of_the_service(chain: Chain, state: Path, uid: str) -> str:
    """Record a run of a series as it is while a backfill works on it."""
    definitions = dg.Definitions.merge(
        collection_definitions(chain.collection),
        dg.Definitions(resources=given(chain), executor=dg.in_process_executor),
    )
    job = definitions.resolve_job_def(Scope(chain.collection).job.name)
    with dg.DagsterInstance.local_temp(str(state)) as instance:
        tags = {"dagster/partition": uid}
        return instance.create_run_for_job(job, tags=tags, status=dg.DagsterRunStatus.STARTED).run_id


def test_a_second_call_is_refused_by_name_and_the_first_is_undisturbed(undisturbed, up_to, tmp_path):
    chain = up_to("qc_report")
    held, go = tmp_path / "held", tmp_path / "go"
    first = chain.start(_annotate_in, tmp_path, fault=partial(waits_when_half_written, "qc.parquet", held, go))
    _wait_for(held.exists)
    second = chain.start(_refused).end()
    assert f"{chain.out} is being worked on by process {first.process.pid} on " in second.answer
    assert "wait until it has ended, or give another folder" in second.answer
    go.touch()
    assert first.end().answer.complete
    assert said(chain.series) == said(undisturbed.series)
    assert not [path for path in chain.out.iterdir() if path.name.startswith(".")]


def test_a_call_that_was_killed_holds_nothing_and_its_runs_do_not_stay_unfinished(up_to, tmp_path):
    chain = up_to("qc_report")
    killed = chain.start(_annotate_in, tmp_path, fault=partial(killed_when_half_written, "qc.parquet")).end()
    assert killed.killed
    assert ("annotations_series_annotate", "STARTED") in _runs(chain, tmp_path)
    assert chain.start(_annotate_in, tmp_path).end().answer.complete
    assert {status for _, status in _runs(chain, tmp_path)} == {"SUCCESS", "CANCELED"}


def test_a_series_that_the_service_works_on_is_left_to_it(finished, tmp_path):
    uid = finished.series.series_instance_uid
    run_id = finished.start(_run_of_the_service, tmp_path, uid).end().answer
    before = {path: path.read_bytes() for path in visible(finished.series.path)}
    [series] = finished.start(_annotate_in, tmp_path).end().answer.series
    assert series.status == "failed"
    assert f"run {run_id} of the web UI works on it or waits to (STARTED)" in series.reason
    assert "terminate it there" in series.reason
    assert before == {path: path.read_bytes() for path in before}
