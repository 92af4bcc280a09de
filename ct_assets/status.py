"""How far a collection is: series done, failed and why, in work and waiting, seconds per stage, disk."""

import shutil
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import dagster as dg

from ct_assets.cohort_report.queue import review_queue
from ct_assets.collection import Collection, selection_digest
from ct_assets.partitions import Scope, scopes, series_of_unfinished_runs
from ct_assets.run_history import Reason, failed_last, failures, in_flight, recorded_reason, seconds_per_stage
from ct_assets.series_states import SeriesState, read_converted, series_states
from ct_assets.store.paths import CollectionFolder
from ct_assets.store.tables import COHORT

_REASONS_READ = 200
_SERIES_MEASURED = 100


@dataclass(frozen=True)
class Failed:
    """Series that fail for the same reason; `left` of them have failed too often to be asked for again."""

    reason: Reason
    series: tuple[str, ...]
    left: int


@dataclass(frozen=True)
class Disk:
    """Bytes that a series takes, the median of some; series with files; free bytes of the file system."""

    series_bytes: int
    series: int
    free_bytes: int


@dataclass(frozen=True)
class CollectionStatus:
    """What `ct-assets status` tells of a collection.

    ``excluded``, ``unfit``: reason -> series. ``running``, ``queued``: series of unfinished runs; ``queued`` also those
    that a backfill is still to start. ``missing``: never tried. ``to_review``: series with findings that wait for a
    reviewer; None if there is no cohort_report to tell.
    """

    collection: str
    registered: int
    annotated: int
    unfit: dict[str, int]
    failed: tuple[Failed, ...]
    running: tuple[str, ...]
    queued: int
    missing: int
    excluded: dict[str, int]
    to_review: int | None
    problems: tuple[str, ...]
    seconds_per_stage: dict[str, float]
    disk: Disk


@dataclass
class _Counts:
    annotated: int = 0
    unfit: Counter[str] = field(default_factory=Counter)
    failed: list[Failed] = field(default_factory=list)
    running: list[str] = field(default_factory=list)
    queued: int = 0
    missing: int = 0
    seconds: dict[str, float] = field(default_factory=dict)


def collection_status(
    collection: Collection, store: CollectionFolder, instance: dg.DagsterInstance
) -> CollectionStatus:
    """Return how far a collection is.

    Parameters
    ----------
    collection : Collection
        The collection.
    store : CollectionFolder
        Its results.
    instance : DagsterInstance
        Where its partitions are registered and its runs recorded.

    Raises
    ------
    RecordError, ValueError
        If changed_series.json or the cohort table is damaged or of another version.
    """
    counts, registered = _Counts(), 0
    for scope in scopes(collection):
        assert scope.partitions.name is not None
        uids = instance.get_dynamic_partitions(scope.partitions.name)
        registered += len(uids)
        _count(counts, uids, scope, store, instance)
        counts.seconds = counts.seconds or seconds_per_stage(instance, scope)
    to_review, problems = _to_review(store)
    return CollectionStatus(
        collection=collection.name,
        registered=registered,
        annotated=counts.annotated,
        unfit=dict(counts.unfit.most_common()),
        failed=tuple(sorted(counts.failed, key=lambda failed: -len(failed.series))),
        running=tuple(counts.running),
        queued=counts.queued,
        missing=counts.missing,
        excluded=_excluded(store.cohort.cohort),
        to_review=to_review,
        problems=problems,
        seconds_per_stage=counts.seconds,
        disk=_disk(store),
    )


def _count(
    counts: _Counts, uids: Iterable[str], scope: Scope, store: CollectionFolder, instance: dg.DagsterInstance
) -> None:
    """Count the series of a collection, or of one of its shards: each once, by what matters most."""
    statuses, waiting = series_of_unfinished_runs(instance), in_flight(instance, scope)
    latest = failed_last(instance)
    failed = []
    materialized = instance.get_materialized_partitions(scope.key("qc_report"))
    for uid, state in series_states(uids, store, materialized, selection_digest(scope.collection)):
        if statuses.get(uid) in {dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING}:
            counts.running.append(uid)
        elif uid in waiting:
            counts.queued += 1
        elif state is SeriesState.ANNOTATED:
            counts.annotated += 1
        elif state is SeriesState.UNFIT:
            converted = read_converted(store.series(uid).ct_record)
            counts.unfit["; ".join(converted.reasons) if converted else "unknown"] += 1
        elif uid in latest:
            failed.append(uid)
        else:
            counts.missing += 1
    counts.failed += _by_reason(failed, scope, instance)
    counts.missing += len(failed) - sum(len(group.series) for group in counts.failed)


def _by_reason(uids: list[str], scope: Scope, instance: dg.DagsterInstance) -> list[Failed]:
    """Group failed series by the reason of their last failure; of very many, the reasons of the first are read."""
    found = failures(instance, scope, uids)
    groups: dict[Reason, list[str]] = {}
    for number, (uid, failure) in enumerate(found.items()):
        known = number < _REASONS_READ
        reason = recorded_reason(instance, failure.last_run_id) if known else Reason("", "not read")
        groups.setdefault(Reason(reason.stage, reason.text.replace(uid, "<series>")), []).append(uid)
    attempts = scope.collection.schedule.attempts
    return [
        Failed(reason, tuple(series), sum(found[uid].count >= attempts for uid in series))
        for reason, series in groups.items()
    ]


def _excluded(path: Path) -> dict[str, int]:
    if not path.is_file():
        return {}
    cohort = COHORT.read(path)
    criteria = cohort.loc[~cohort["selected"], "failed_criteria"]
    return {str(reason): int(count) for reason, count in criteria.map(" + ".join).value_counts().items()}


def _to_review(store: CollectionFolder) -> tuple[int | None, tuple[str, ...]]:
    if not store.cohort.qc_table.is_file():
        return None, ()
    queue = review_queue(store)
    return int(queue.findings["series"].nunique()), queue.problems


def _disk(store: CollectionFolder) -> Disk:
    """Estimate what the series take from a sample: looking at every file of 100,000 series takes an hour."""
    folders = store.all_series()
    sample = Random(0).sample(folders, min(len(folders), _SERIES_MEASURED))  # noqa: S311
    sizes = [sum(path.stat().st_size for path in folder.path.rglob("*") if path.is_file()) for folder in sample]
    existing = next(path for path in (store.path, *store.path.parents) if path.exists())
    middle = sorted(sizes)[len(sizes) // 2] if sizes else 0
    return Disk(middle, len(folders), shutil.disk_usage(existing).free)
