"""Instances of Dagster on both storages, each of its own."""

from collections.abc import Iterator

import dagster as dg
import pytest
from dagster._core.test_utils import instance_for_test

from tests.postgres import postgres


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """A Postgres for the tests of a session; each instance begins with wiped tables."""
    with postgres() as server:
        yield server.url


@pytest.fixture(params=["sqlite", "postgres"])
def instance(request: pytest.FixtureRequest) -> Iterator[dg.DagsterInstance]:
    """An empty instance on SQLite, and one on Postgres."""
    overrides = {}
    if request.param == "postgres":
        overrides = {"storage": {"postgres": {"postgres_url": request.getfixturevalue("postgres_url")}}}
    with instance_for_test(overrides=overrides) as made:
        if request.param == "postgres":
            for storage in (made.run_storage, made.event_log_storage, made.schedule_storage):
                storage.wipe()
        yield made
