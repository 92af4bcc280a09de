"""Which runs' logs may go: ended, old enough, and needed neither by a backfill nor to tell why a series failed."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

import dagster as dg
from dagster._core.execution.backfill import BULK_ACTION_TERMINAL_STATUSES, BulkActionsFilter, BulkActionStatus
from dagster._core.storage.dagster_run import RunRecord
from dagster._core.storage.tags import BACKFILL_ID_TAG

from ct_assets.collection import MOST_ATTEMPTS
from ct_assets.partitions import PARTITION_TAG

_PAGE = 1000
_ENDED = {dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED}


@dataclass(frozen=True)
class EndedRun:
    """A run whose log may go."""

    run_id: str
    succeeded: bool


def prunable_runs(instance: dg.DagsterInstance, before: datetime) -> Iterator[EndedRun]:
    """Find the runs whose logs may go, the latest first.

    Kept are runs that have not ended, those of backfills in progress, and the last failed runs (as many as a schedule
    may count) of a series, or of a job that has no partitions, which has not succeeded since.

    Parameters
    ----------
    instance : DagsterInstance
        Whose runs.
    before : datetime
        Runs that ended before it; with a time zone.

    Yields
    ------
    EndedRun
        Runs.
    """
    backfills = _unfinished_backfills(instance)
    succeeded: set[tuple[str, str]] = set()
    failures: Counter[tuple[str, str]] = Counter()
    for record in _latest_first(instance):
        run = record.dagster_run
        if run.status not in _ENDED:
            continue
        about = (run.job_name, run.tags.get(PARTITION_TAG, ""))
        if run.status is dg.DagsterRunStatus.SUCCESS:
            succeeded.add(about)
        elif run.status is dg.DagsterRunStatus.FAILURE and about not in succeeded:
            failures[about] += 1
            if failures[about] <= MOST_ATTEMPTS:
                continue
        ended = record.end_time if record.end_time is not None else record.update_timestamp.timestamp()
        if ended < before.timestamp() and run.tags.get(BACKFILL_ID_TAG) not in backfills:
            yield EndedRun(run.run_id, run.status is dg.DagsterRunStatus.SUCCESS)


def _latest_first(instance: dg.DagsterInstance) -> Iterator[RunRecord]:
    cursor = None
    while page := instance.get_run_records(limit=_PAGE, cursor=cursor):
        yield from page
        cursor = page[-1].dagster_run.run_id


def _unfinished_backfills(instance: dg.DagsterInstance) -> set[str]:
    unfinished = [status for status in BulkActionStatus if status not in BULK_ACTION_TERMINAL_STATUSES]
    return {found.backfill_id for found in instance.get_backfills(filters=BulkActionsFilter(statuses=unfinished))}
