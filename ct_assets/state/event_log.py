"""Deleting the log of runs from Dagster's event log, and nothing by which an asset, a check or a run has its status."""

import tempfile
from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import dagster as dg
import sqlalchemy as db
from dagster._core.events import EVENT_TYPE_TO_PIPELINE_RUN_STATUS
from dagster._core.storage.event_log.schema import SqlEventLogStorageMetadata, SqlEventLogStorageTable
from dagster._core.storage.event_log.sql_event_log import SqlEventLogStorage
from dagster._core.storage.event_log.sqlite.sqlite_event_log import SqliteEventLogStorage

from ct_assets.state.prunable import EndedRun
from ct_assets.store.atomic import write_bytes

_BESIDE = ("-wal", "-shm")  # what SQLite keeps beside a database that is in use
_PLANNED = dg.DagsterEventType.ASSET_MATERIALIZATION_PLANNED
KEPT = (
    *EVENT_TYPE_TO_PIPELINE_RUN_STATUS,
    dg.DagsterEventType.ASSET_MATERIALIZATION,
    dg.DagsterEventType.ASSET_OBSERVATION,
    dg.DagsterEventType.ASSET_CHECK_EVALUATION,
    dg.DagsterEventType.ASSET_FAILED_TO_MATERIALIZE,
    dg.DagsterEventType.FRESHNESS_STATE_CHANGE,
    dg.DagsterEventType.FRESHNESS_STATE_EVALUATION,
)
"""Events that stay: what assets, checks and runs have their status by; reviewers' verdicts are among the observations.

That a materialization was planned stays too where the run did not succeed: by it a partition shows as failed.
"""


class EventLog(ABC):
    """The event log of an instance, as far as pruning goes."""

    blocks_writers: bool
    """Whether nothing may be written while it is vacuumed."""

    @abstractmethod
    def present(self, runs: Sequence[EndedRun]) -> list[EndedRun]:
        """Return the runs that have anything that `prune` would delete."""

    @abstractmethod
    def prune(self, runs: Sequence[EndedRun]) -> tuple[int, int]:
        """Delete the logs of some runs in one short transaction, and return rows and bytes that are gone."""

    @abstractmethod
    def measure(self, runs: Sequence[EndedRun]) -> tuple[int, int]:
        """Return the rows and bytes that `prune` would delete."""

    @abstractmethod
    def vacuum(self) -> int:
        """Give freed pages back where that is safe now, and return the bytes that the database has become smaller."""


def event_log(instance: dg.DagsterInstance) -> EventLog:
    """Return the event log of an instance.

    Parameters
    ----------
    instance : DagsterInstance
        The instance; on SQLite or Postgres.

    Raises
    ------
    UnknownEventLogError
        If it is another one.
    """
    storage = instance.event_log_storage
    if isinstance(storage, SqliteEventLogStorage):
        return _Sqlite(storage)
    if isinstance(storage, SqlEventLogStorage) and hasattr(storage, "postgres_url"):
        return _Postgres(storage, storage.postgres_url)
    message = f"the event log is a {type(storage).__name__}; prune knows SQLite and Postgres"
    raise UnknownEventLogError(message)


class UnknownEventLogError(ValueError):
    """A storage that prune does not know."""


def empty_database(revision: str) -> bytes:
    """Return the database of a run that logged nothing, in small pages: 20 kB where Dagster's own takes 120.

    Parameters
    ----------
    revision : str
        Alembic's name of the schema.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "run.db"
        engine = db.create_engine(f"sqlite:///{path}", isolation_level="AUTOCOMMIT", poolclass=db.pool.StaticPool)
        with engine.connect() as connection:
            connection.execute(db.text("PRAGMA page_size = 512"))
            SqlEventLogStorageMetadata.create_all(connection)
            connection.execute(db.text("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY)"))
            connection.execute(db.text("INSERT INTO alembic_version VALUES (:it)"), {"it": revision})
        engine.dispose()
        return path.read_bytes()


class _Sqlite(EventLog):
    """Each run has a database of its own, which an empty one replaces; what it shares with others is in index.db.

    It is not deleted: a web server that has shown it takes its tables for granted.
    """

    blocks_writers = True

    def __init__(self, storage: SqliteEventLogStorage) -> None:
        self._storage = storage
        self._empty = empty_database(str(storage.alembic_version()[1]))

    def present(self, runs: Sequence[EndedRun]) -> list[EndedRun]:
        return [run for run in runs if self._of_files([run]) > 0]

    def prune(self, runs: Sequence[EndedRun]) -> tuple[int, int]:
        rows, size = 0, self._of_files(runs)
        with self._storage.index_connection() as connection:
            for condition in _deletable(runs):
                rows += connection.execute(SqlEventLogStorageTable.delete().where(condition)).rowcount
        for path in self._databases(runs):
            for suffix in _BESIDE:
                Path(f"{path}{suffix}").unlink(missing_ok=True)
            write_bytes(path, self._empty)
        return rows, size

    def measure(self, runs: Sequence[EndedRun]) -> tuple[int, int]:
        with self._storage.index_connection() as connection:
            rows, _ = _counted(connection, runs)
        return rows, self._of_files(runs)

    def vacuum(self) -> int:
        path = Path(self._storage.path_for_shard("index"))
        before = path.stat().st_size
        engine = db.create_engine(self._storage.conn_string_for_shard("index"), isolation_level="AUTOCOMMIT")
        with suppress(db.exc.OperationalError), engine.connect() as connection:  # locked: the next call does it
            connection.execute(db.text("VACUUM"))
            connection.execute(db.text("PRAGMA wal_checkpoint(TRUNCATE)"))
        engine.dispose()
        return max(before - path.stat().st_size, 0)

    def _databases(self, runs: Sequence[EndedRun]) -> list[Path]:
        return [path for run in runs if (path := Path(self._storage.path_for_shard(run.run_id))).is_file()]

    def _of_files(self, runs: Sequence[EndedRun]) -> int:
        """Return by how many bytes the databases of runs are larger than empty ones."""
        databases = self._databases(runs)
        beside = (Path(f"{path}{suffix}") for path in databases for suffix in _BESIDE)
        size = sum(path.stat().st_size for path in (*databases, *beside) if path.is_file())
        return size - len(databases) * len(self._empty)


class _Postgres(EventLog):
    """All runs share one table. What is deleted makes room for new rows; VACUUM locks nobody out."""

    blocks_writers = False

    def __init__(self, storage: SqlEventLogStorage, url: str) -> None:
        self._storage = storage
        self._url = url

    def present(self, runs: Sequence[EndedRun]) -> list[EndedRun]:
        query = db.select(SqlEventLogStorageTable.c.run_id).where(db.or_(*_deletable(runs))).distinct()
        with self._storage.index_connection() as connection:
            found = set(connection.execute(query).scalars())
        return [run for run in runs if run.run_id in found]

    def prune(self, runs: Sequence[EndedRun]) -> tuple[int, int]:
        with self._storage.index_transaction() as connection:
            rows, size = _counted(connection, runs)
            for condition in _deletable(runs):
                connection.execute(SqlEventLogStorageTable.delete().where(condition))
        return rows, size

    def measure(self, runs: Sequence[EndedRun]) -> tuple[int, int]:
        with self._storage.index_connection() as connection:
            return _counted(connection, runs)

    def vacuum(self) -> int:
        engine = db.create_engine(self._url, isolation_level="AUTOCOMMIT")
        size = db.text("SELECT pg_total_relation_size('event_logs')")
        with engine.connect() as connection:
            before = int(connection.execute(size).scalar_one())
            connection.execute(db.text("VACUUM (ANALYZE) event_logs"))
            after = int(connection.execute(size).scalar_one())
        engine.dispose()
        return max(before - after, 0)


def _deletable(runs: Sequence[EndedRun]) -> list[db.ColumnElement[bool]]:
    """Return which rows of the event log go: of runs that succeeded, and of the others."""
    table = SqlEventLogStorageTable.c
    kept = [kind.value for kind in KEPT]
    conditions = []
    for succeeded, stay in ((True, kept), (False, [*kept, _PLANNED.value])):
        ids = [run.run_id for run in runs if run.succeeded is succeeded]
        plain = table.dagster_event_type.is_(None)  # what a step or the user's code logged
        conditions.append(db.and_(table.run_id.in_(ids), db.or_(plain, table.dagster_event_type.not_in(stay))))
    return conditions


def _counted(connection: db.Connection, runs: Sequence[EndedRun]) -> tuple[int, int]:
    """Return number and text bytes of the rows that go."""
    table = SqlEventLogStorageTable.c
    size = db.func.coalesce(db.func.sum(db.func.length(table.event)), 0)
    query = db.select(db.func.count(), size).where(db.or_(*_deletable(runs)))
    rows, text = connection.execute(query).one()
    return int(rows), int(text)
