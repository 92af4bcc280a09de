"""Schedule missing_series: asks for the next series that have not been annotated."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path

import dagster as dg

from ct_assets.collection import selection_digest
from ct_assets.partitions import Scope
from ct_assets.store.paths import CollectionFolder
from ct_assets.store.tables import COHORT
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
    dg.DagsterRunStatus.CANCELING,
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


def finished_series(store: CollectionFolder, selection: str) -> set[str]:
    """Return the series of a collection that are annotated, or known to be unfit.

    A series that was annotated when half of it had been copied is not finished: the cohort table has more of it now.
    Nor is one that another selection than today's found unfit.

    Parameters
    ----------
    store : CollectionFolder
        The collection's folder.
    selection : str
        Digest of the collection's selection (`ct_assets.collection.selection_digest`).
    """
    instances = _instances(store.cohort.cohort)
    finished = set()
    for folder in store.all_series():
        uid, record = folder.series_instance_uid, folder.ct_record
        fit, slices, by = _converted(record, record.stat().st_mtime_ns) if record.is_file() else (None, None, None)
        grown = slices is not None and uid in instances and instances[uid] != slices
        unfit = fit is False and by in {None, selection}
        if (folder.qc_page.is_file() or unfit) and not grown:
            finished.add(uid)
    return finished


def _instances(cohort: Path) -> dict[str, int]:
    """Return the instances of each series in the cohort table; nothing before there is one."""
    if not cohort.is_file():
        return {}
    table = COHORT.read(cohort)
    return dict(zip(table["SeriesInstanceUID"], table["instances"], strict=True))


@lru_cache(maxsize=100_000)
def _converted(record: Path, _changed: int) -> tuple[bool | None, int | None, str | None]:
    """Return whether ct.json calls its series fit, its slices if it lists them, and which selection found it unfit.

    Each version is read once.
    """
    try:
        content = json.loads(record.read_text(encoding="utf-8"))
        return content["fit"], len(content.get("slices", ())) or None, content.get("unfit_by_selection")
    except (ValueError, KeyError):
        return None, None, None  # damaged: one series, which the run names, must not stop the others


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
            finished_series(series_store.collection(collection.name), selection_digest(collection)),
            set(unfinished),
            failures,
            collection.schedule.batch,
        )
        if not chosen:
            return dg.SkipReason("no series is missing")
        return [dg.RunRequest(partition_key=uid) for uid in chosen]

    return missing_series
