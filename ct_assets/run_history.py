"""What Dagster's records say of the series of a collection: which are being worked on, and which failed how often."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from statistics import median

import dagster as dg
from dagster._core.execution.backfill import BulkActionsFilter, BulkActionStatus, PartitionBackfill

from ct_assets.partitions import PARTITION_TAG, UNFINISHED, Scope, series_of_unfinished_runs
from ct_assets.step_name import STAGES, place_of

_ENDED = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE]
_OUR_ERROR = re.compile(r"^(ct_assets|resources)[.\w]*: ")
_RUNS_LOOKED_AT = 200
_RUNS_TIMED = 20
_CHUNK = 200  # series of one query: tags of a run are found by an index, and SQLite takes no more than 999 at once


def in_flight(instance: dg.DagsterInstance, scope: Scope) -> set[str]:
    """Return the series that an unfinished run works on, or that a backfill has still to start.

    Parameters
    ----------
    instance : DagsterInstance
        Where runs are recorded.
    scope : Scope
        The collection, or one of its shards.
    """
    active = BulkActionsFilter(statuses=[BulkActionStatus.REQUESTED, BulkActionStatus.CANCELING])
    waiting = (_waiting(backfill, scope) for backfill in instance.get_backfills(filters=active))
    return set(series_of_unfinished_runs(instance)).union(*waiting)


def unfinished_run(instance: dg.DagsterInstance, scope: Scope, uid: str) -> dg.DagsterRun | None:
    """Return a run that works on a series of a collection, or waits to; None if there is none.

    Parameters
    ----------
    instance
        As in `in_flight`.
    scope : Scope
        The collection, or the shard of the series.
    uid : str
        SeriesInstanceUID.
    """
    runs = instance.get_runs(dg.RunsFilter(tags={PARTITION_TAG: uid}, statuses=UNFINISHED))
    return next((run for run in runs if is_of(run, scope)), None)


def failed_last(instance: dg.DagsterInstance) -> dict[str, str]:
    """Return the series whose latest run that ended has failed, with that run, in one query.

    Parameters
    ----------
    instance
        As in `in_flight`.
    """
    runs = instance.get_run_partition_data(dg.RunsFilter(statuses=_ENDED))
    return {run.partition: run.run_id for run in runs if run.status is dg.DagsterRunStatus.FAILURE}


@dataclass(frozen=True)
class Failures:
    """How often runs of a series failed since the last that succeeded, and the last of them."""

    count: int
    last_run_id: str


def failures(instance: dg.DagsterInstance, scope: Scope, uids: Iterable[str]) -> dict[str, Failures]:
    """Return which series failed since they last succeeded, and how often.

    Parameters
    ----------
    instance, scope
        As in `in_flight`.
    uids : iterable of str
        Series to look at.
    """
    found: dict[str, Failures] = {}
    for chunk in _chunks(sorted(set(uids))):
        succeeded, counts, last = set[str](), Counter[str](), dict[str, str]()
        runs = instance.get_runs(dg.RunsFilter(tags={PARTITION_TAG: chunk}, statuses=_ENDED))
        for run in runs:  # the latest first
            uid = run.tags[PARTITION_TAG]
            if uid in succeeded or not is_of(run, scope):
                continue
            if run.status is dg.DagsterRunStatus.SUCCESS:
                succeeded.add(uid)
            else:
                counts[uid] += 1
                last.setdefault(uid, run.run_id)
        found |= {uid: Failures(counts[uid], run_id) for uid, run_id in last.items()}
    return found


@dataclass(frozen=True)
class Reason:
    """Why a run failed: the stage, empty if the run ended outside of all, and one line."""

    stage: str
    text: str

    def __str__(self) -> str:
        """Return both in one line."""
        return f"{self.stage}: {self.text}" if self.stage else self.text


def reason_of(events: Iterable[dg.DagsterEvent]) -> Reason:
    """Return why a run failed, from its events.

    Parameters
    ----------
    events : iterable of DagsterEvent
        Events of the run, in order.
    """
    ended = "the run ended before its first stage"
    for event in events:
        if event.is_step_failure:
            error = event.step_failure_data.error
            # What a room raised; not its own causes, which name neither the file nor the remedy.
            while error is not None and error.cause is not None and str(error.cls_name).startswith("Dagster"):
                error = error.cause
            text = error.message.strip().splitlines()[0] if error else "unknown error"
            return Reason(place_of(event.step_key).stage or "", _OUR_ERROR.sub("", text))
        if event.event_type is dg.DagsterEventType.RUN_FAILURE and event.message:
            ended = event.message.strip().splitlines()[0]
    return Reason("", ended)


def recorded_reason(instance: dg.DagsterInstance, run_id: str) -> Reason:
    """Return why a run failed, from Dagster's records.

    Parameters
    ----------
    instance
        As in `in_flight`.
    run_id : str
        A failed run.
    """
    kinds = {dg.DagsterEventType.STEP_FAILURE, dg.DagsterEventType.RUN_FAILURE}
    entries = instance.all_logs(run_id, of_type=kinds)
    return reason_of(entry.dagster_event for entry in entries if entry.dagster_event is not None)


def seconds_per_stage(instance: dg.DagsterInstance, scope: Scope) -> dict[str, float]:
    """Return the median seconds of each stage, its checks included, over the last runs that succeeded.

    Parameters
    ----------
    instance, scope
        As in `in_flight`.
    """
    runs = instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.SUCCESS]), limit=_RUNS_LOOKED_AT)
    taken: dict[str, list[float]] = {stage: [] for stage in STAGES}
    for run in [run for run in runs if is_of(run, scope)][:_RUNS_TIMED]:
        seconds = dict.fromkeys(STAGES, 0.0)
        for step in instance.get_run_step_stats(run.run_id):
            stage = place_of(step.step_key).stage
            if stage in seconds and step.start_time and step.end_time:
                seconds[stage] += step.end_time - step.start_time
        for stage in STAGES:
            if seconds[stage]:
                taken[stage].append(seconds[stage])
    return {stage: round(median(seconds), 2) for stage, seconds in taken.items() if seconds}


def is_of(run: dg.DagsterRun, scope: Scope) -> bool:
    """Return whether a run makes assets of the series of a collection: by its job, by an asset backfill, or alone.

    Parameters
    ----------
    run : DagsterRun
        Any run.
    scope : Scope
        The collection, or one of its shards.
    """
    prefix = scope.key("any").path[:-1]
    return run.job_name == scope.job.name or any(key.path[:-1] == prefix for key in run.asset_selection or ())


def _waiting(backfill: PartitionBackfill, scope: Scope) -> set[str]:
    """Return the series that a backfill has not made yet, whether it has started runs of them or not."""
    data = backfill.asset_backfill_data
    if data is None:
        ours = backfill.job_name == scope.job.name
        return set(backfill.partition_names or ()) if ours else set()
    left = data.get_targeted_partitions_without_materialization_status()
    return {
        partition
        for key, subset in left.partitions_subsets_by_asset_key.items()
        if key.path[:-1] == scope.key("any").path[:-1]
        for partition in subset.get_partition_keys()
    }


def _chunks(uids: list[str]) -> Iterator[list[str]]:
    for start in range(0, len(uids), _CHUNK):
        yield uids[start : start + _CHUNK]
