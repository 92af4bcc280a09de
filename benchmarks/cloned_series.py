"""An instance that knows very many series: rows of one real run of the idle chain, cloned by SQL.

Running 90,000 series takes a day. Of the seven assets only qc_report is cloned, which is what the schedule and the page
of an asset ask about; the others would make the database seven times as large.
"""

import shutil
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import dagster as dg
import sqlalchemy as sa
from dagster._core.storage.event_log.schema import AssetCheckExecutionsTable, SqlEventLogStorageTable
from dagster._core.storage.event_log.sqlite.sqlite_event_log import SqliteEventLogStorage
from dagster._core.storage.runs.schema import RunsTable, RunTagsTable

from benchmarks.idle_chain import defs
from ct_assets.partitions import Scope
from ct_assets.store.paths import CollectionFolder

_BATCH = 5000
_LOGS = 200
"""Runs of each outcome that get a log: `ct-assets status` reads no more."""
_MODEL = "1.2.826.0.1.0"
"""The series whose run is cloned."""


def clone_series(
    instance: dg.DagsterInstance, scope: Scope, uids: Sequence[str], store: CollectionFolder, *, with_checks: bool
) -> None:
    """Make an instance and a store look as if nine in ten series had been annotated, and one in a hundred failed.

    Parameters
    ----------
    instance : DagsterInstance
        Empty, but for the registered series.
    scope : Scope
        The collection.
    uids : sequence of str
        Registered series.
    store : CollectionFolder
        Gets a folder for each annotated series.
    with_checks : bool
        Clone the results of checks too: a row for each of nine rules.
    """
    assert scope.partitions.name is not None
    instance.add_dynamic_partitions(scope.partitions.name, [_MODEL])
    result = defs.resolve_job_def(f"{scope.partitions.name}_annotate").execute_in_process(
        instance=instance, partition_key=_MODEL
    )
    assert result.success
    instance.delete_dynamic_partition(scope.partitions.name, _MODEL)
    done = [uid for rank, uid in enumerate(uids) if rank % 10]
    failed = [uid for rank, uid in enumerate(uids) if rank % 100 == 0]
    runs = {uid: str(uuid.uuid4()) for uid in (*done, *failed)}
    _clone_runs(instance, result.run_id, runs, set(failed))
    key = scope.key("qc_report").to_string()
    storage: Any = instance.event_log_storage
    with storage.index_connection() as connection:
        events = _rows(connection, SqlEventLogStorageTable, result.run_id, asset_key=key)
        planned = [row for row in events if row["dagster_event_type"] == "ASSET_MATERIALIZATION_PLANNED"]
        made = [row for row in events if row["dagster_event_type"] == "ASSET_MATERIALIZATION"]
        checks = _rows(connection, AssetCheckExecutionsTable, result.run_id, asset_key=key) if with_checks else []
        _insert(connection, SqlEventLogStorageTable, _cloned([*planned, *made], result.run_id, runs, done))
        _insert(connection, SqlEventLogStorageTable, _cloned(planned, result.run_id, runs, failed))
        made_in = _materializations(connection, key)
        outcomes = _cloned(checks, result.run_id, runs, done)
        _insert(
            connection,
            AssetCheckExecutionsTable,
            ({**row, "materialization_event_storage_id": made_in[row["run_id"]]} for row in outcomes),
        )
        connection.commit()
    with storage.index_connection() as connection:
        connection.execute(sa.text("ANALYZE"))  # as Postgres does by itself, a minute later; SQLite takes it too
        connection.commit()
    _clone_logs(storage, result.run_id, [runs[uid] for uid in (*sorted(failed)[:_LOGS], *done[-_LOGS:])])
    for uid in done:
        store.series(uid).path.mkdir(parents=True)


def database_bytes(instance: dg.DagsterInstance, state: Path) -> int:
    """Return the size of an instance's database, on SQLite without the logs of runs, each of which is a file.

    Parameters
    ----------
    instance : DagsterInstance
        The instance.
    state : Path
        Folder of its files, if it is SQLite.
    """
    storage: Any = instance.event_log_storage
    with storage.index_connection() as connection:
        if connection.dialect.name == "postgresql":
            return int(connection.execute(sa.text("SELECT pg_database_size(current_database())")).scalar_one())
    return sum(path.stat().st_size for path in state.rglob("*.db") if path.stem in {"index", "runs", "schedules"})


def _clone_runs(instance: dg.DagsterInstance, model: str, runs: dict[str, str], failed: set[str]) -> None:
    storage: Any = instance.run_storage
    with storage.connect() as connection:
        [run] = _rows(connection, RunsTable, model)
        tags = _rows(connection, RunTagsTable, model)
        rows = _cloned([run], model, runs, runs)
        _insert(
            connection,
            RunsTable,
            ({**row, "status": "FAILURE" if row["partition"] in failed else "SUCCESS"} for row in rows),
        )
        _insert(connection, RunTagsTable, _cloned(tags, model, runs, runs))
        if connection.dialect.name == "postgresql":
            connection.commit()


def _clone_logs(storage: Any, model: str, runs: Sequence[str]) -> None:
    """Give runs the log of the model, where each has a database of its own; opening one that is not there makes it."""
    if not isinstance(storage, SqliteEventLogStorage):
        return
    with storage.run_connection(model) as connection:
        connection.execute(sa.text("PRAGMA wal_checkpoint(TRUNCATE)"))
    for run_id in runs:
        shutil.copyfile(storage.path_for_shard(model), storage.path_for_shard(run_id))


def _materializations(connection: sa.Connection, key: str) -> dict[str, int]:
    """Return the event of an asset's materialization in each run."""
    event = SqlEventLogStorageTable.c
    query = sa.select(event.run_id, event.id).where(
        event.asset_key == key, event.dagster_event_type == "ASSET_MATERIALIZATION"
    )
    return dict(connection.execute(query).tuples().all())


def _rows(connection: sa.Connection, table: sa.Table, run_id: str, **others: str) -> list[dict[str, Any]]:
    """Return the rows of a run without their number, which the database gives."""
    query = sa.select(table).where(table.c.run_id == run_id)
    for name, value in others.items():
        query = query.where(table.c[name] == value)
    return [{name: row[name] for name in row if name != "id"} for row in connection.execute(query).mappings()]


def _cloned(
    rows: list[dict[str, Any]], model: str, runs: dict[str, str], uids: Sequence[str] | dict[str, str]
) -> Iterator[dict[str, Any]]:
    """Yield the rows for each series: its UID and its run in place of the model's, wherever they stand."""
    for uid in uids:
        for row in rows:
            yield {
                name: value.replace(model, runs[uid]).replace(_MODEL, uid) if isinstance(value, str) else value
                for name, value in row.items()
            }


def _insert(connection: sa.Connection, table: sa.Table, rows: Iterator[dict[str, Any]]) -> None:
    batch: list[dict[str, Any]] = []
    for row in rows:
        batch.append(row)
        if len(batch) == _BATCH:
            connection.execute(table.insert(), batch)
            batch.clear()
    if batch:
        connection.execute(table.insert(), batch)
