"""Pruning takes the logs of old runs, and nothing that the platform lives on."""

import sys
from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest
from dagster._core.execution.backfill import BulkActionStatus, PartitionBackfill
from dagster._core.storage.compute_log_manager import ComputeIOType
from dagster._core.storage.tags import BACKFILL_ID_TAG
from dagster._core.test_utils import create_run_for_test
from dagster._core.utils import make_new_backfill_id

from ct_assets.state import prunable
from ct_assets.state.prune import Pruned, prune

SERIES = dg.DynamicPartitionsDefinition(name="demo_series")
LATER = datetime.now(UTC) + timedelta(days=1)


class Settings(dg.Config):
    """Whether the asset fails, and its check."""

    fail: bool = False


@dg.asset(partitions_def=SERIES, code_version="1")
def volume(context: dg.AssetExecutionContext, config: Settings) -> dg.MaterializeResult:
    for line in range(20):
        context.log.info("line %d", line)
    sys.stdout.write("printed by the step\n")
    if config.fail:
        message = "the disk is full"
        raise OSError(message)
    return dg.MaterializeResult(metadata={"voxels": 3})


@dg.asset_check(asset=volume, partitions_def=SERIES)
def plausible(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(passed=context.partition_key != "2", severity=dg.AssetCheckSeverity.WARN)


JOB = dg.Definitions(
    assets=[volume],
    asset_checks=[plausible],
    jobs=[dg.define_asset_job("annotate", selection="*")],
    executor=dg.in_process_executor,
).resolve_job_def("annotate")


def _run(instance: dg.DagsterInstance, series: str, *, fail: bool = False, **tags: str) -> str:
    instance.add_dynamic_partitions("demo_series", [series])
    result = JOB.execute_in_process(
        instance=instance,
        partition_key=series,
        raise_on_error=False,
        run_config={"ops": {"volume": {"config": {"fail": fail}}}},
        tags=tags,
    )
    assert result.success is not fail
    return result.run_id


def _shown(instance: dg.DagsterInstance) -> dict[str, object]:
    """Return what the web UI and the schedule take from the database."""
    log = instance.event_log_storage
    checks = log.get_asset_check_partition_info([dg.AssetCheckKey(volume.key, "plausible")])
    made = instance.fetch_materializations(volume.key, limit=99).records
    return {
        "materialized": instance.get_materialized_partitions(volume.key),
        "failed": log.get_latest_asset_partition_materialization_attempts_without_materializations(volume.key),
        "checks": {info.partition_key: info for info in checks},
        "runs": {run.run_id: run.status for run in instance.get_runs()},
        "metadata": [record.asset_materialization.metadata for record in made],
    }


def _log(instance: dg.DagsterInstance, run_id: str) -> list[str]:
    """Return what a run logged of its steps; the events that make up its status are not asked for."""
    kinds = {dg.DagsterEventType.STEP_START, dg.DagsterEventType.STEP_FAILURE}
    return [entry.dagster_event_type.value for entry in instance.all_logs(run_id, of_type=kinds)]


def _prune(instance: dg.DagsterInstance, before: datetime = LATER, **options: bool) -> Pruned:
    return prune(instance, before, **options)


def test_logs_go_and_everything_that_is_shown_stays(instance):
    runs = [_run(instance, series) for series in ("1", "2", "3")]
    instance.report_runless_asset_event(dg.AssetObservation(volume.key, partition="1", metadata={"verdict": "accept"}))
    before = _shown(instance)
    assert before["checks"]["2"].latest_execution_status.value == "FAILED"
    dry = _prune(instance, dry_run=True)
    assert all(_log(instance, run) for run in runs), "a dry run deletes nothing"
    pruned = _prune(instance)
    assert (pruned.runs, pruned.rows, pruned.log_bytes) == (dry.runs, dry.rows, dry.log_bytes)
    assert pruned.runs == 3
    assert min(pruned.rows, pruned.log_bytes, pruned.output_bytes) > 0
    assert [_log(instance, run) for run in runs] == [[], [], []]
    assert _shown(instance) == before
    assert len(instance.fetch_observations(volume.key, limit=9).records) == 1
    assert _prune(instance).runs == 0, "a second call has nothing left"


def test_a_series_can_be_annotated_again_after_its_log_went(instance):
    _run(instance, "1")
    _prune(instance)
    again = _run(instance, "1")
    assert _log(instance, again)
    assert len(instance.fetch_materializations(volume.key, limit=9).records) == 2


def test_runs_that_ended_later_keep_their_logs(instance):
    run = _run(instance, "1")
    assert _prune(instance, datetime.now(UTC) - timedelta(days=1)).runs == 0
    assert _log(instance, run)


def test_the_last_failures_of_a_series_that_never_succeeded_since_keep_their_logs(instance, monkeypatch):
    monkeypatch.setattr(prunable, "MOST_ATTEMPTS", 3)
    failures = [_run(instance, "1", fail=True) for _ in range(5)]
    healed = _run(instance, "2", fail=True)
    _run(instance, "2")
    before = _shown(instance)
    assert _prune(instance).runs == 4
    assert [bool(_log(instance, run)) for run in failures] == [False, False, True, True, True]
    assert not _log(instance, healed)
    assert _shown(instance) == before
    assert before["failed"].keys() == {"1"}


def test_unfinished_runs_and_backfills_in_progress_keep_their_logs(instance):
    queued = create_run_for_test(instance, job_name="annotate", status=dg.DagsterRunStatus.NOT_STARTED)
    started = create_run_for_test(instance, job_name="annotate", status=dg.DagsterRunStatus.STARTED)
    for run in (queued, started):
        instance.report_engine_event("waits", run)
    ids = {
        status: make_new_backfill_id() for status in (BulkActionStatus.REQUESTED, BulkActionStatus.COMPLETED_SUCCESS)
    }
    for status, backfill in ids.items():
        instance.add_backfill(
            PartitionBackfill(
                backfill_id=backfill,
                status=status,
                from_failure=False,
                tags={},
                backfill_timestamp=0.0,
                asset_selection=[volume.key],
                partition_names=["1"],
            )
        )
    in_progress = _run(instance, "1", **{BACKFILL_ID_TAG: ids[BulkActionStatus.REQUESTED]})
    done = _run(instance, "2", **{BACKFILL_ID_TAG: ids[BulkActionStatus.COMPLETED_SUCCESS]})
    assert _prune(instance).runs == 1
    assert _log(instance, in_progress)
    assert not _log(instance, done)
    assert all(list(instance.all_logs(run.run_id)) for run in (queued, started))


def test_printed_output_of_a_pruned_run_is_gone(instance):
    run = _run(instance, "1")
    manager = instance.compute_log_manager
    [key] = manager.get_log_keys_for_log_key_prefix([run, "compute_logs"], ComputeIOType.STDERR)
    assert manager.get_log_data(key).stderr
    _prune(instance)
    assert not manager.get_log_data(key).stderr


@pytest.mark.parametrize("instance", ["sqlite"], indirect=True)
def test_index_db_is_not_vacuumed_while_a_run_is_under_way(instance):
    _run(instance, "1")
    create_run_for_test(instance, job_name="annotate", status=dg.DagsterRunStatus.STARTED)
    assert _prune(instance).busy
    for run in instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED])):
        instance.report_run_failed(run)
    assert not _prune(instance).busy


def test_a_storage_in_memory_is_refused():
    with dg.DagsterInstance.ephemeral() as instance, pytest.raises(ValueError, match="knows SQLite and Postgres"):
        _prune(instance)
