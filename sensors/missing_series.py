"""Schedule missing_series: asks for the next series that have not been annotated."""

from collections.abc import Callable, Iterable, Mapping, Set
from itertools import islice

import dagster as dg

from ct_assets.collection import selection_digest
from ct_assets.partitions import Scope
from ct_assets.run_history import failed_last, failures, in_flight
from ct_assets.series_states import SeriesState, series_states
from resources.series_store import SeriesStore

_COUNTED: dict[str, int] = {}
"""Failures of a series since its last success, by the last run of them: they never change."""


def next_missing(
    missing: Iterable[str],
    working: Set[str],
    failed: Set[str],
    count_failures: Callable[[list[str]], Mapping[str, int]],
    *,
    attempts: int,
    batch: int,
) -> list[str]:
    """Choose the series to ask for.

    Series that never failed come first, so that one that fails for ever keeps none of the others waiting.

    Parameters
    ----------
    missing : iterable of str
        Series without results, in the order they were registered; only as many are taken as are needed.
    working : set of str
        Series that are being worked on, or that a backfill will start.
    failed : set of str
        Series whose latest run failed.
    count_failures : callable
        Gives the failures of series since they last succeeded.
    attempts : int
        Failures after which a series is left to a person.
    batch : int
        Most series to return.
    """
    again: list[str] = []

    def fresh() -> Iterable[str]:
        for uid in missing:
            if uid in failed:
                again.append(uid)
            elif uid not in working:
                yield uid

    chosen = list(islice(fresh(), batch))
    if len(chosen) < batch:  # then all of the missing have been seen
        waiting = [uid for uid in again if uid not in working]
        counts = count_failures(waiting)
        chosen += [uid for uid in waiting if counts.get(uid, 0) < attempts][: batch - len(chosen)]
    return chosen


def missing_series_schedule(scope: Scope) -> dg.ScheduleDefinition:
    """Return the missing_series schedule of a collection, or of one of its shards."""
    collection, name = scope.collection, scope.partitions.name
    assert name is not None

    @dg.schedule(
        name=f"{name}_missing",
        cron_schedule=collection.schedule.cron,
        job=scope.job,
        description=f"Asks for the next {collection.schedule.batch} series that are missing.",
    )
    def missing_series(
        context: dg.ScheduleEvaluationContext, series_store: SeriesStore
    ) -> list[dg.RunRequest] | dg.SkipReason:
        instance = context.instance
        latest_failures = failed_last(instance)
        states = series_states(
            instance.get_dynamic_partitions(name),
            series_store.collection(collection.name),
            instance.get_materialized_partitions(scope.key("qc_report")),
            selection_digest(collection),
        )
        chosen = next_missing(
            (uid for uid, state in states if state is SeriesState.UNFINISHED),
            in_flight(instance, scope),
            latest_failures.keys(),
            lambda uids: _failures(instance, scope, {uid: latest_failures[uid] for uid in uids}),
            attempts=collection.schedule.attempts,
            batch=collection.schedule.batch,
        )
        if not chosen:
            return dg.SkipReason("no series is missing, but those that are being worked on or failed too often")
        return [dg.RunRequest(partition_key=uid) for uid in chosen]

    return missing_series


def _failures(instance: dg.DagsterInstance, scope: Scope, latest: Mapping[str, str]) -> dict[str, int]:
    """Count failures, asking Dagster only about series that have failed again since they were counted."""
    new = [uid for uid, run_id in latest.items() if run_id not in _COUNTED]
    found = failures(instance, scope, new)
    _COUNTED.update({latest[uid]: found[uid].count if uid in found else 0 for uid in new})
    return {uid: _COUNTED[run_id] for uid, run_id in latest.items()}
