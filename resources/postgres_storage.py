"""Dagster's Postgres storage, with connections that stay open and are tried before they are used.

Dagster connects anew for each of the hundred events of a series, which takes longer than writing them. Its web server
keeps connections, and answers with errors for a while when the database comes back after it was gone.
"""

from typing import Any, Final

from dagster._serdes import ConfigurableClassData
from dagster_postgres import DagsterPostgresStorage
from dagster_postgres.utils import create_pg_engine, get_token_provider_from_config, pg_url_from_config

_AT_ONCE: Final = 20  # threads of the web server and of the daemon
_OLDEST_SECONDS: Final = 1800


class OpenPostgresStorage(DagsterPostgresStorage):
    """Dagster's Postgres storage with such connections; `deploy/dagster.yaml` names it."""

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        for storage in (self._run_storage, self._event_log_storage, self._schedule_storage):
            storage._engine = create_pg_engine(  # noqa: SLF001 - there is no other way to give it one
                storage.postgres_url,
                storage._token_provider,  # noqa: SLF001
                isolation_level="AUTOCOMMIT",
                pool_size=1,
                max_overflow=_AT_ONCE,
                pool_pre_ping=True,
                pool_recycle=_OLDEST_SECONDS,
            )
            # What Dagster gives to its web server has no ping; ours serves it too.
            storage.optimize_for_webserver = _leave_as_it_is  # type: ignore[method-assign,assignment]

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


def _leave_as_it_is(**_: Any) -> None:
    pass
