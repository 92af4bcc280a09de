"""Dagster's SQLite storage for one machine, with connections that stay open.

Dagster opens and closes a file for every one of the hundred events of a series, which took more time than writing them.
The files are Dagster's own: its `sqlite` storage reads what this one has written, and the other way round.
"""

from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final

import sqlalchemy as sa
from dagster._core.storage.event_log.sqlite.sqlite_event_log import SqliteEventLogStorage
from dagster._core.storage.sqlite_storage import DagsterSqliteStorage
from dagster._serdes import ConfigurableClassData

_KEPT: Final = 2  # the index, and the run that is being worked on or looked at
_BUSY_SECONDS: Final = 60


class OpenSqliteEventLog(SqliteEventLogStorage):
    """Event log whose connections to the index and to the latest run stay open."""

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        self._engines: OrderedDict[str, sa.Engine] = OrderedDict()
        super().__init__(base_dir, inst_data)

    def dispose(self) -> None:
        """Close the files."""
        with self._db_lock:
            while self._engines:
                self._close_oldest()
        super().dispose()

    @contextmanager
    def _connect(self, shard: str) -> Iterator[sa.Connection]:
        with self._db_lock, self._engine(shard).connect() as connection, connection.begin():
            yield connection

    def _engine(self, shard: str) -> sa.Engine:
        if shard not in self._engines:
            engine = sa.create_engine(
                self.conn_string_for_shard(shard), pool_size=1, connect_args={"timeout": _BUSY_SECONDS}
            )
            sa.event.listen(engine, "connect", _wait_for_the_disk_at_checkpoints_only)
            if shard not in self._initialized_dbs:
                if not _has_tables(engine):
                    self._initdb(engine)
                self._initialized_dbs.add(shard)
            self._engines[shard] = engine
            if len(self._engines) > _KEPT:
                self._close_oldest()
        self._engines.move_to_end(shard)
        return self._engines[shard]

    def _close_oldest(self) -> None:
        _, engine = self._engines.popitem(last=False)
        engine.dispose()


class OpenSqliteStorage(DagsterSqliteStorage):
    """Dagster's SQLite storage with that event log; `dagster.yaml` names it."""

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        super().__init__(base_dir, inst_data)
        self._event_log_storage = OpenSqliteEventLog(self._event_log_storage.path_for_shard("").removesuffix(".db"))

    @classmethod
    def from_config_value(  # noqa: D102 - Dagster's
        cls, inst_data: ConfigurableClassData | None, config_value: Any
    ) -> "OpenSqliteStorage":
        return cls(inst_data=inst_data, **config_value)


def _has_tables(engine: sa.Engine) -> bool:
    """Tell whether Dagster has made its tables: it writes their revision last, and takes 0.1 s to compare it."""
    with suppress(sa.exc.OperationalError), engine.connect() as connection:  # no such table
        return connection.execute(sa.text("SELECT version_num FROM alembic_version")).first() is not None
    return False


def _wait_for_the_disk_at_checkpoints_only(connection: Any, _: Any) -> None:
    """Wait for the disk less: if a process dies nothing is lost, if the power fails perhaps the last events."""
    connection.execute("PRAGMA synchronous=NORMAL")
