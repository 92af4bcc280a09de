"""Command prune: trim the logs of old runs, which Dagster never does by itself."""

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import click
from rich.console import Console

from ct_assets.cli.errors import clear_errors
from ct_assets.settings import settings

if TYPE_CHECKING:
    from ct_assets.state.prune import Pruned

_DAYS = {"d": 1, "w": 7}


def _age(_context: click.Context, _parameter: click.Parameter, value: str) -> timedelta:
    found = re.fullmatch(r"([1-9][0-9]{0,4})([dw])", value)
    if found is None:
        message = f"{value!r} is no age; give days, such as 90d, or weeks, such as 12w"
        raise click.BadParameter(message)
    return timedelta(days=int(found[1]) * _DAYS[found[2]])


@click.command()
@click.option(
    "--older-than", required=True, callback=_age, metavar="AGE", help="Prune runs that ended longer ago: 90d, 12w."
)
@click.option("--dry-run", is_flag=True, help="Only say what would go.")
def prune(older_than: timedelta, dry_run: bool) -> None:
    """Trim the logs of old runs in Dagster's database and folder, which grow without end otherwise.

    \b
    ct-assets prune --older-than 90d --dry-run
    ct-assets prune --older-than 90d

    What goes is what a run logged: its messages, its steps, what it printed. What stays: the list of runs, every
    materialization, observation and check outcome, so that the web UI shows the same; the logs of runs that have not
    ended, or belong to a backfill in progress; and those of the last twenty failed runs of a series that has not
    succeeded since, which say why. Results and verdicts are not in Dagster's database at all.

    It works while the service runs. On SQLite, index.db is made smaller only when no run is under way.

    Exit code 0: done; 1: it could not be done.
    """  # noqa: D301  # \b is Click's mark of lines to keep
    with clear_errors():
        import dagster as dg

        from ct_assets.state.event_log import UnknownEventLogError
        from ct_assets.state.prune import prune as prune_logs

        settings().state.mkdir(parents=True, exist_ok=True)
        console = Console(stderr=True)
        with dg.DagsterInstance.get() as instance, console.status("reading the list of runs") as status:
            try:
                pruned = prune_logs(
                    instance,
                    datetime.now(UTC) - older_than,
                    dry_run=dry_run,
                    on_done=lambda runs: status.update(f"{runs:,} runs"),
                )
            except UnknownEventLogError as error:
                raise click.ClickException(str(error)) from error
    _show(pruned, older_than, dry_run=dry_run)


def _show(pruned: "Pruned", older_than: timedelta, *, dry_run: bool) -> None:
    verb = "would go" if dry_run else "gone"
    click.echo(
        f"Logs of {pruned.runs:,} runs that ended more than {older_than.days} days ago {verb}: "
        f"{_size(pruned.log_bytes)} of events, {_size(pruned.output_bytes)} of printed output, "
        f"{pruned.rows:,} rows of the shared event log."
    )
    if pruned.returned:
        click.echo(f"The database is {_size(pruned.returned)} smaller.")
    if pruned.busy:
        click.echo("Runs are under way: index.db keeps its size, and reuses what was freed, until a call without any.")


def _size(count: int) -> str:
    return f"{count / 1e6:,.1f} MB"
