"""Schedule missing_series: asks for the next series that have not been annotated."""

from collections.abc import Callable, Iterable, Mapping, Set
from itertools import islice

import dagster as dg

from ct_assets.collection import selection_digest
from ct_assets.partitions import Scope
from ct_assets.run_history import failed_last, failures, in_flight
from ct_assets.series_states import SeriesState, series_with_files, state_of
from ct_assets.store.changed_series import read_changed_series
from ct_assets.store.paths import CollectionFolder
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


def missing_from(
    registered: Iterable[str], store: CollectionFolder, materialized: Set[str], selection: str
) -> Iterable[str]:
    """Yield the series that are neither annotated nor known to be unfit, looking at as few files as will do.

    A series that Dagster calls materialized is annotated if its folder is there and its source has not changed since;
    of any other, its files decide.

    Parameters
    ----------
    registered : iterable of str
        Partition keys.
    store : CollectionFolder
        The collection's folder.
    materialized : set of str
        Series whose qc_report Dagster knows.
    selection : str
        Digest of the collection's selection (`ct_assets.collection.selection_digest`).

    Raises
    ------
    RecordError
        If changed_series.json is damaged.
    """
    there = series_with_files(store)
    changed = read_changed_series(store.cohort.changed_series).instances
    for uid in registered:
        if uid in there and uid in materialized and uid not in changed:
            continue
        if uid not in there or _unfinished(store, uid, selection, changed.get(uid)):
            yield uid


def _unfinished(store: CollectionFolder, uid: str, selection: str, instances: int | None) -> bool:
    return state_of(store.series(uid), selection, instances) is SeriesState.UNFINISHED


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
        missing = missing_from(
            instance.get_dynamic_partitions(name),
            series_store.collection(collection.name),
            instance.get_materialized_partitions(scope.key("qc_report")),
            selection_digest(collection),
        )
        chosen = next_missing(
            missing,
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
