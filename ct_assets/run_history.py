"""What Dagster's records say of the series of a collection: which are being worked on, and which failed how often."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import dagster as dg
from dagster._core.execution.backfill import BulkActionsFilter, BulkActionStatus, PartitionBackfill

from ct_assets.partitions import PARTITION_TAG, Scope, series_of_unfinished_runs

_ENDED = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE]
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


def failed_last(instance: dg.DagsterInstance) -> dict[str, str]:
    """Return the series whose latest run that ended has failed, with that run, in one query.

    Parameters
    ----------
    instance : DagsterInstance
        Where runs are recorded.
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
    instance : DagsterInstance
        Where runs are recorded.
    scope : Scope
        The collection, or one of its shards.
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
