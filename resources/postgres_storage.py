"""Dagster's Postgres storage, with connections that stay open and are tried before they are used.

Dagster connects anew for each of the hundred events of a series, which takes longer than writing them. Its web server
keeps connections, and answers with errors for a while when the database comes back after it was gone.
"""

from typing import Any, Final

from dagster._serdes import ConfigurableClassData
from dagster_postgres import (
    DagsterPostgresStorage,
    PostgresEventLogStorage,
    PostgresRunStorage,
    PostgresScheduleStorage,
)
from dagster_postgres.utils import create_pg_engine, get_token_provider_from_config, pg_url_from_config
from sqlalchemy.exc import InternalError

_AT_ONCE: Final = 20  # threads of the web server and of the daemon
_OLDEST_SECONDS: Final = 1800


class _Open:
    """Mixed into a storage: its connections stay open."""

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self._engine = create_pg_engine(
            self.postgres_url,  # type: ignore[attr-defined]
            self._token_provider,  # type: ignore[attr-defined]
            isolation_level="AUTOCOMMIT",
            pool_size=1,
            max_overflow=_AT_ONCE,
            pool_pre_ping=True,
            pool_recycle=_OLDEST_SECONDS,
        )

    def optimize_for_webserver(self, statement_timeout: int, pool_recycle: int, max_overflow: int) -> None:
        """Leave it as it is: what Dagster gives to its web server here does not try connections."""


class OpenPostgresRunStorage(_Open, PostgresRunStorage):
    """Runs."""


class OpenPostgresScheduleStorage(_Open, PostgresScheduleStorage):
    """Ticks of schedules and sensors."""


class OpenPostgresEventLog(_Open, PostgresEventLogStorage):
    """Events."""

    def initialize_concurrency_limit_to_default(self, concurrency_key: str) -> bool:
        """Enter a pool, unless another run has done so at the same moment.

        Dagster's own then goes on in a transaction that Postgres has given up, which failed one of the first two runs
        of a new service.
        """
        try:
            return bool(super().initialize_concurrency_limit_to_default(concurrency_key))
        except InternalError:
            if concurrency_key not in self.get_concurrency_keys():
                raise
            return True


class OpenPostgresStorage(DagsterPostgresStorage):
    """All three; `deploy/dagster.yaml` names it."""

    def __init__(
        self,
        postgres_url: str,
        should_autocreate_tables: bool = True,
        inst_data: ConfigurableClassData | None = None,
        token_provider: Any = None,
    ) -> None:
        super().__init__(postgres_url, should_autocreate_tables, inst_data, token_provider)
        self._run_storage = OpenPostgresRunStorage(postgres_url, token_provider=token_provider)
        self._event_log_storage = OpenPostgresEventLog(postgres_url, token_provider=token_provider)
        self._schedule_storage = OpenPostgresScheduleStorage(postgres_url, token_provider=token_provider)

    @classmethod
    def from_config_value(  # noqa: D102 - Dagster's
        cls, inst_data: ConfigurableClassData | None, config_value: Any
    ) -> "OpenPostgresStorage":
        return cls(
            inst_data=inst_data,
            postgres_url=pg_url_from_config(config_value),
            should_autocreate_tables=config_value.get("should_autocreate_tables", True),
            token_provider=get_token_provider_from_config(config_value),
        )
