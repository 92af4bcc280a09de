"""Schedule missing_series: asks for the next series that have not been annotated."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping

import dagster as dg

from ct_assets.partitions import Scope
from ct_assets.store.paths import CollectionFolder, SeriesFolder
from resources.series_store import SeriesStore

MAXIMUM_ATTEMPTS = 3
"""Failed runs of a series after which the schedule leaves it to a person."""

_RUNS_LOOKED_AT = 5000
_PARTITION_TAG = "dagster/partition"
_UNFINISHED = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
]


def next_missing(
    registered: Iterable[str], finished: set[str], in_flight: set[str], failures: Mapping[str, int], batch: int
) -> list[str]:
    """Choose the series to ask for: registered, not finished, not being worked on, not failed too often.

    Parameters
    ----------
    registered : iterable of str
        Partition keys, in the order they were registered.
    finished : set of str
        Series that are annotated, or known to be unfit.
    in_flight : set of str
        Series with an unfinished run.
    failures : mapping of str to int
        Failed runs of each series.
    batch : int
        Most series to return.
    """
    missing = (
        uid
        for uid in registered
        if uid not in finished and uid not in in_flight and failures.get(uid, 0) < MAXIMUM_ATTEMPTS
    )
    return [uid for _, uid in zip(range(batch), missing, strict=False)]


def finished_series(store: CollectionFolder) -> set[str]:
    """Return the series of a collection that are annotated, or known to be unfit.

    Parameters
    ----------
    store : CollectionFolder
        The collection's folder.
    """
    finished = set()
    for folder in store.all_series():
        if folder.qc_page.is_file() or _unfit(folder):
            finished.add(folder.series_instance_uid)
    return finished


def _unfit(folder: SeriesFolder) -> bool:
    return folder.ct_record.is_file() and not json.loads(folder.ct_record.read_text(encoding="utf-8"))["fit"]


def _series_of_runs(instance: dg.DagsterInstance, scope: Scope, statuses: list[dg.DagsterRunStatus]) -> list[str]:
    """Return the series of the latest runs of a collection, by its job or by an asset backfill, once per run."""
    runs = instance.get_runs(dg.RunsFilter(statuses=statuses), limit=_RUNS_LOOKED_AT)
    ours = (
        run
        for run in runs
        if run.job_name == scope.job.name or scope.key("ct_nifti") in (run.asset_selection or frozenset())
    )
    return [run.tags[_PARTITION_TAG] for run in ours if _PARTITION_TAG in run.tags]


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
        unfinished = _series_of_runs(context.instance, scope, _UNFINISHED)
        failures = Counter(_series_of_runs(context.instance, scope, [dg.DagsterRunStatus.FAILURE]))
        chosen = next_missing(
            context.instance.get_dynamic_partitions(name),
            finished_series(series_store.collection(collection.name)),
            set(unfinished),
            failures,
            collection.schedule.batch,
        )
        if not chosen:
            return dg.SkipReason("no series is missing")
        return [dg.RunRequest(partition_key=uid) for uid in chosen]

    return missing_series
