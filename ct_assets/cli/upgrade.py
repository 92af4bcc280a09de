"""Command upgrade: bring the files of a store, and Dagster's database, to the installed version."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from ct_assets.cli.collection import stored_collection, stored_collections
from ct_assets.cli.errors import EXIT_INCOMPLETE, clear_errors
from ct_assets.settings import settings

if TYPE_CHECKING:
    from ct_assets.upgrade.report import Remedy, Upgrade

_SHOWN = 20


@click.command()
@click.argument("collections", nargs=-1, metavar="[COLLECTION]...")
@click.option("--dry-run", is_flag=True, help="Only say what would be done.")
def upgrade(collections: tuple[str, ...], dry_run: bool) -> None:
    """Bring what an earlier version of ct-assets wrote to the installed one.

    COLLECTION is a name in collections/ or the folder given to annotate --out; without one, all collections that have
    results, and then Dagster's database too.

    \b
    ct-assets upgrade --dry-run
    ct-assets upgrade
    ct-assets upgrade demo ~/annotations

    Every table and record carries its schema_version. Files of an earlier one are migrated where they hold all that
    the new version tells, each replaced at once: an interrupted call does no harm and goes on the next time. Where they
    do not, the command says which asset must be materialized again, and for which series. Verdicts of reviewers are
    never lost. Stop the service first, and make a backup (docs/backup.md).

    Exit code 0: everything is current; 1: it could not be done; 3: something must be materialized again, is damaged, or
    was written by a newer version.
    """  # noqa: D301  # \b is Click's mark of lines to keep
    with clear_errors():
        from ct_assets.upgrade.report import upgrade_store

        stores = [stored_collection(name) for name in collections] or stored_collections()
        done = []
        for store in stores:
            with _progress(store.path.name) as on_file:
                done.append(upgrade_store(store, dry_run=dry_run, progress=on_file))
        complete = True
        for found in done:
            complete &= _show(found, dry_run=dry_run)
        if not collections:
            complete &= _database(dry_run=dry_run)
    sys.exit(0 if complete else EXIT_INCOMPLETE)


@contextmanager
def _progress(name: str) -> Iterator[Callable[[int, int], None]]:
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task(name, total=None)
        yield lambda done, of_all: bar.update(task, completed=done, total=of_all)


def _show(found: "Upgrade", *, dry_run: bool) -> bool:
    """Print what became of a collection, and return whether all of it is current."""
    from ct_assets.upgrade.migrate import State

    name = found.store.path.name
    verb = "to migrate" if dry_run else "migrated"
    click.echo(
        f"{name}: {found.count(State.MIGRATED):,} files {verb}, {found.count(State.CURRENT):,} already current, "
        f"{found.count(State.NEEDS_COMPUTATION):,} to be made again, {found.count(State.NEWER):,} newer, "
        f"{found.count(State.DAMAGED):,} damaged."
    )
    for kind, count in found.migrated_kinds().items():
        click.echo(f"  {verb}: {kind}: {count:,}")
    for remedy in found.remedies():
        _show_remedy(found.store.path, remedy)
    newer = list(found.of(State.NEWER))
    if newer:
        click.echo("  written by a newer version, and left as they are; install the newer ct-assets:")
        _list([f"{one.file.path}: {one.reason}" for one in newer])
    damaged = list(found.of(State.DAMAGED))
    if damaged:
        click.echo("  damaged, and left as they are; restore them from the backup, or materialize the asset again:")
        _list([f"{one.file.path} ({one.file.asset}): {one.reason}" for one in damaged])
    return not (newer or damaged or found.count(State.NEEDS_COMPUTATION))


def _show_remedy(folder: Path, remedy: "Remedy") -> None:
    """Say what to make again, and how."""
    name = folder.name
    of = f" of {len(remedy.series):,} series" if remedy.per_series else ""
    click.echo(f"  {remedy.asset}{of} must be made again:")
    for reason in remedy.reasons:
        click.echo(f"    {reason}")
    if folder.parent != Path(settings().home) or remedy.asset == "annotate":
        click.echo("    how: ct-assets annotate (of the demo: ct-assets demo), which makes again what is not current")
    elif remedy.asset == "cohort_table":
        click.echo(f"    how: ct-assets cohort {name}")
    elif not remedy.per_series:
        click.echo(f"    how: materialize {name}/{remedy.asset} in the web UI, after the series")
    else:
        click.echo(f"    how: backfill {name}/{remedy.asset} and what follows it in the web UI; one series alone:")
        of_all = " or ".join(f'key:"{name}/{asset}"' for asset in ("cohort_report", "sr_validation"))
        click.echo(
            f"""    dagster asset materialize -m ct_assets.definitions --partition {remedy.series[0]} """
            f"""--select 'key:"{name}/{remedy.asset}"+ and not ({of_all})'"""
        )
        _list(list(remedy.series))


def _list(lines: list[str]) -> None:
    for line in lines[:_SHOWN]:
        click.echo(f"    {line}")
    if len(lines) > _SHOWN:
        click.echo(f"    and {len(lines) - _SHOWN:,} more")


def _database(*, dry_run: bool) -> bool:
    """Bring Dagster's database to the installed Dagster, and return whether it is there."""
    import dagster as dg

    from ct_assets.state.database import DatabaseState, upgrade_database

    settings().state.mkdir(parents=True, exist_ok=True)
    with dg.DagsterInstance.get() as instance:
        state = upgrade_database(instance, dry_run=dry_run, say=lambda text: click.echo(f"  {text}", err=True))
    click.echo(
        {
            DatabaseState.CURRENT: "Dagster's database: already current.",
            DatabaseState.OLDER: "Dagster's database: " + ("to migrate." if dry_run else "migrated."),
            DatabaseState.NEWER: "Dagster's database was written by a newer Dagster; install the newer ct-assets.",
            DatabaseState.IN_USE: "Dagster's database is older, and runs are not finished: stop the service, and call "
            "this again (or dagster instance migrate).",
        }[state]
    )
    return state in {DatabaseState.CURRENT, DatabaseState.OLDER}
