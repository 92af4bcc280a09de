"""The Postgres storage whose connections stay open, on Debian's Postgres."""

from collections.abc import Iterator

import dagster as dg
import pytest

from resources.postgres_storage import OpenPostgresEventLog
from tests.postgres import Postgres, postgres


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    with postgres() as running:
        yield running


@pytest.fixture
def instance(server, tmp_path) -> dg.DagsterInstance:
    config = {"module": "resources.postgres_storage", "class": "OpenPostgresStorage"}
    custom = {"custom": {**config, "config": {"postgres_url": server.url}}}
    overrides = {"storage": custom, "concurrency": {"pools": {"default_limit": 2}}}
    return dg.DagsterInstance.local_temp(str(tmp_path), overrides=overrides)


def _connections(server: Postgres) -> int:
    return int(server.ask("SELECT count(*) FROM pg_stat_activity WHERE usename = 'ct_assets'"))


@dg.asset
def volume() -> dg.MaterializeResult:
    return dg.MaterializeResult(metadata={"ml": 600.0})


def test_a_run_connects_once_for_each_kind_of_storage(server, instance):
    assert isinstance(instance.event_log_storage, OpenPostgresEventLog)
    before = int(server.ask("SELECT sessions FROM pg_stat_database WHERE datname = 'ct_assets'"))
    assert dg.materialize([volume], instance=instance).success
    assert _connections(server) <= 3
    instance.dispose()
    assert int(server.ask("SELECT sessions FROM pg_stat_database WHERE datname = 'ct_assets'")) - before <= 6


@pytest.mark.parametrize("as_web_server", [False, True])
def test_a_database_that_comes_back_is_used_at_once(server, instance, as_web_server):
    """Dagster's own web server answers the first requests with errors then."""
    if as_web_server:
        instance.optimize_for_webserver(statement_timeout=15000, pool_recycle=3600, max_overflow=20)
    instance.add_dynamic_partitions("series", ["1.2.3"])
    server.stop()
    server.start()
    assert instance.get_dynamic_partitions("series") == ["1.2.3"]
    assert dg.materialize([volume], instance=instance).success
    assert len(instance.get_runs()) >= 1


def test_two_runs_may_be_the_first_to_enter_a_pool(instance):
    """What comes second finds the pool there; it once failed its run."""
    pools = instance.event_log_storage
    for _ in range(2):
        assert pools.initialize_concurrency_limit_to_default("gpu")
    assert pools.get_concurrency_info("gpu").slot_count == 2
