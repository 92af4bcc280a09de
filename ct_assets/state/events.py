"""Materializations and check evaluations in bulk, as events without a run.

`DagsterInstance.report_runless_asset_event` opens a connection and a transaction, and writes to disk, for every event
(18 to 55 ms on SQLite), which for a large collection takes hours. Here the same rows are written many to a transaction,
with Dagster's own statements.
"""

from collections.abc import Sequence
from datetime import UTC, datetime

import dagster as dg
from dagster._core.definitions.asset_checks.asset_check_evaluation import AssetCheckEvaluation
from dagster._core.events import DagsterEvent, DagsterEventType, StepMaterializationData
from dagster._core.events.log import EventLogEntry
from dagster._core.instance.utils import RUNLESS_JOB_NAME, RUNLESS_RUN_ID
from dagster._core.storage.event_log.schema import AssetCheckExecutionsTable
from dagster._core.storage.event_log.sql_event_log import SqlEventLogStorage
from dagster._serdes import serialize_value
from dagster._time import get_current_timestamp
from sqlalchemy.engine import Connection

BATCH = 500
"""Events of one transaction: the service waits for one no longer than for a run's own events."""

AssetEvent = dg.AssetMaterialization | AssetCheckEvaluation
"""What can be reported."""


def report_events(instance: dg.DagsterInstance, events: Sequence[AssetEvent]) -> None:
    """Record events without a run, in their order.

    Parameters
    ----------
    instance : DagsterInstance
        Where.
    events : sequence of AssetMaterialization or AssetCheckEvaluation
        The events.
    """
    storage = instance.event_log_storage
    if not isinstance(storage, SqlEventLogStorage):  # a storage that is none of Dagster's own
        for event in events:
            instance.report_runless_asset_event(event)
        return
    for start in range(0, len(events), BATCH):
        _store(storage, [_entry(event) for event in events[start : start + BATCH]])


def _entry(event: AssetEvent) -> EventLogEntry:
    """Return an event as Dagster logs it where there is no run."""
    kind, content = (
        (DagsterEventType.ASSET_MATERIALIZATION, StepMaterializationData(event))
        if isinstance(event, dg.AssetMaterialization)
        else (DagsterEventType.ASSET_CHECK_EVALUATION, event)
    )
    logged = DagsterEvent(event_type_value=kind.value, job_name=RUNLESS_JOB_NAME, event_specific_data=content)
    return EventLogEntry(  # type: ignore[no-untyped-call]
        user_message="",
        level=20,  # INFO, as report_dagster_event
        job_name=RUNLESS_JOB_NAME,
        run_id=RUNLESS_RUN_ID,
        error_info=None,
        timestamp=get_current_timestamp(),
        dagster_event=logged,
    )


def _store(storage: SqlEventLogStorage, entries: Sequence[EventLogEntry]) -> None:
    """Do in one transaction what `store_event` does in several for each entry."""
    if getattr(storage, "is_run_sharded", False):
        with storage.run_connection(RUNLESS_RUN_ID) as connection:
            connection.execute(storage.prepare_insert_event_batch(entries))
    with storage.index_transaction() as connection:
        ids = [_inserted(connection, storage, entry) for entry in entries]
        made = [(entry, event_id) for entry, event_id in zip(entries, ids, strict=True) if _is_materialization(entry)]
        if made:
            storage._store_asset_event_tags(connection, *map(list, zip(*made, strict=True)))  # noqa: SLF001
        last = {entry.get_dagster_event().asset_key: (entry, event_id) for entry, event_id in made}
        for entry, event_id in last.values():
            storage._store_asset_event(connection, entry, event_id)  # noqa: SLF001
        rows = [_check_row(e, event_id) for e, event_id in zip(entries, ids, strict=True) if not _is_materialization(e)]
        if rows:
            connection.execute(AssetCheckExecutionsTable.insert(), rows)


def _inserted(connection: Connection, storage: SqlEventLogStorage, entry: EventLogEntry) -> int:
    key = connection.execute(storage.prepare_insert_event(entry)).inserted_primary_key
    assert key is not None, "the event log numbers its events"
    return int(key[0])


def _is_materialization(entry: EventLogEntry) -> bool:
    return entry.get_dagster_event().is_step_materialization


def _check_row(entry: EventLogEntry, event_id: int) -> dict[str, object]:
    """Return the row by which Dagster knows the status of a check, as `store_event` writes it where there is no run."""
    evaluation = entry.get_dagster_event().event_specific_data
    assert isinstance(evaluation, AssetCheckEvaluation)
    target = evaluation.target_materialization_data
    return {
        "asset_key": evaluation.asset_key.to_string(),
        "check_name": evaluation.check_name,
        "run_id": RUNLESS_RUN_ID,
        "execution_status": "SUCCEEDED" if evaluation.passed else "FAILED",
        "evaluation_event": serialize_value(entry),
        "evaluation_event_timestamp": _moment(entry),
        "evaluation_event_storage_id": event_id,
        "materialization_event_storage_id": target.storage_id if target else None,
        "partition": evaluation.partition,
    }


def _moment(entry: EventLogEntry) -> datetime:
    return datetime.fromtimestamp(entry.timestamp, UTC).replace(tzinfo=None)  # what the column holds
