"""The tables of Dagster's own database: whether they are those of the installed Dagster, and bringing them there."""

from collections.abc import Callable
from enum import StrEnum

import dagster as dg
from alembic.script.revision import ResolutionError
from alembic.util.exc import CommandError

from ct_assets.partitions import UNFINISHED


class DatabaseState(StrEnum):
    """What Dagster's database is, seen from the installed Dagster."""

    CURRENT = "current"
    OLDER = "older"
    NEWER = "newer"
    IN_USE = "in use"


def upgrade_database(
    instance: dg.DagsterInstance, *, dry_run: bool = False, say: Callable[[str], None] = lambda _text: None
) -> DatabaseState:
    """Bring Dagster's tables to the installed version, as `dagster instance migrate` does, where nothing runs.

    Parameters
    ----------
    instance : DagsterInstance
        Whose database.
    dry_run : bool, default False
        Change nothing.
    say : callable, optional
        Told about each step.

    Returns
    -------
    DatabaseState
        What was found; ``OLDER`` has been brought to the installed version unless `dry_run`.
    """
    storages = (instance.run_storage, instance.event_log_storage, instance.schedule_storage)
    versions = [storage.alembic_version() for storage in storages if storage is not None]
    if all(version is None or version[0] == version[1] for version in versions):
        return DatabaseState.CURRENT
    if dry_run:
        return DatabaseState.OLDER
    if instance.get_runs_count(dg.RunsFilter(statuses=UNFINISHED)):
        return DatabaseState.IN_USE
    try:
        instance.upgrade(say)
    except (CommandError, ResolutionError):
        return DatabaseState.NEWER  # its revision is none of those that this Dagster knows
    return DatabaseState.OLDER
