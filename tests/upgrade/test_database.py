"""Dagster's own database is brought to the installed Dagster where nothing runs."""

import dagster as dg
import sqlalchemy as db
from dagster._core.test_utils import create_run_for_test, instance_for_test

from ct_assets.state.database import DatabaseState, upgrade_database


def _set_revision(instance: dg.DagsterInstance, revision: str) -> None:
    with instance.event_log_storage.index_connection() as connection:
        connection.execute(db.text("UPDATE alembic_version SET version_num = :it"), {"it": revision})


def test_a_new_database_is_current():
    with instance_for_test() as instance:
        assert upgrade_database(instance) is DatabaseState.CURRENT


def test_an_older_database_is_migrated_once_nothing_runs():
    with instance_for_test() as instance:
        current, _ = instance.event_log_storage.alembic_version()
        _set_revision(instance, "16e3655b4d9b")
        assert upgrade_database(instance, dry_run=True) is DatabaseState.OLDER
        create_run_for_test(instance, job_name="job", status=dg.DagsterRunStatus.STARTED)
        assert upgrade_database(instance) is DatabaseState.IN_USE
        for run in instance.get_runs():
            instance.report_run_failed(run)
        assert upgrade_database(instance) is DatabaseState.OLDER
        assert instance.event_log_storage.alembic_version()[0] == current
        assert upgrade_database(instance) is DatabaseState.CURRENT


def test_a_database_of_a_newer_dagster_is_refused():
    with instance_for_test() as instance:
        _set_revision(instance, "ffffffffffff")
        assert upgrade_database(instance) is DatabaseState.NEWER
