"""Command restore: tell Dagster anew what the store holds."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from ct_assets.cli.collection import collection_store, named_collection
from ct_assets.cli.errors import EXIT_INCOMPLETE, clear_errors
from ct_assets.settings import settings

if TYPE_CHECKING:
    from ct_assets.collection import Collection
    from ct_assets.state.restore import Restored

_SHOWN = 20


@click.command()
@click.argument("collections", nargs=-1, metavar="[COLLECTION]...")
def restore(collections: tuple[str, ...]) -> None:
    """Tell Dagster what the store holds, after its database was lost or begun anew.

    COLLECTION is the name of a file in collections/; without one, all that have results.

    \b
    ct-assets restore
    ct-assets restore demo nsclc_radiomics

    Results and verdicts are files, and none is lost with Dagster's database. This registers the partitions of the
    cohort table, reports a materialization for every series and asset whose files are there and whole, and the outcomes
    of the checks that the files tell. What Dagster knows already is left, so it can be called again, also while the
    service runs. Not brought back: the history of runs and their logs, how often a series failed (the schedule asks for
    such a series again), and, of series that the service annotated, the checks that compare files with each other or
    with the source (geometry_matches_dicom, seg_reads_back, sr_reads_back, seg_dciodvfy, sr_dciodvfy); execute them in
    the web UI.

    Exit code 0: everything in the store is known; 1: it could not be done; 3: files are damaged and were left out.
    """  # noqa: D301  # \b is Click's mark of lines to keep
    with clear_errors():
        chosen = [named_collection(name) for name in collections] or _with_results()
        import dagster as dg

        from ct_assets.definitions import collection_definitions
        from ct_assets.installation import resources
        from ct_assets.state.restore import restore as restore_collection
        from resources.series_store import SeriesStore

        settings().state.mkdir(parents=True, exist_ok=True)
        store = resources()["series_store"]
        assert isinstance(store, SeriesStore)
        complete = True
        with dg.DagsterInstance.get() as instance:
            for collection in chosen:
                defined = collection_definitions(collection).assets or ()
                assets = [one for one in defined if isinstance(one, dg.AssetsDefinition)]
                with _progress(collection.name) as on_done:
                    restored = restore_collection(collection, instance, store, assets, on_done)
                complete &= _show(collection, restored)
    sys.exit(0 if complete else EXIT_INCOMPLETE)


def _with_results() -> "list[Collection]":
    """Return the collections of collections/ that have results."""
    from ct_assets.collection import load_collections

    found = [one for one in load_collections() if collection_store(one).cohort.path.is_dir()]
    if not found:
        message = f"no collection with results in {settings().home}; copy the store back there, or set CT_ASSETS_HOME"
        raise click.ClickException(message)
    return found


@contextmanager
def _progress(name: str) -> Iterator[Callable[[str, int, int], None]]:
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        tasks = {"": bar.add_task(name, total=None)}

        def on_done(asset: str, done: int, of_all: int) -> None:
            if asset not in tasks:
                tasks[asset] = bar.add_task(f"{name}/{asset}")
            bar.update(tasks[asset], completed=done, total=of_all)

        yield on_done


def _show(collection: "Collection", restored: "Restored") -> bool:
    """Print what became of a collection, and return whether all of it was whole."""
    of_assets = ", ".join(f"{asset} {count:,}" for asset, count in restored.materializations.items() if count)
    click.echo(
        f"{collection.name}: {restored.partitions:,} partitions, {sum(restored.materializations.values()):,} "
        f"materializations{f' ({of_assets})' if of_assets else ''} and {restored.checks:,} check outcomes restored; "
        f"{restored.known:,} materializations were known."
    )
    if restored.damaged:
        click.echo(f"{len(restored.damaged):,} could not be restored:")
        for text in restored.damaged[:_SHOWN]:
            click.echo(f"  {text}")
        if len(restored.damaged) > _SHOWN:
            click.echo(f"  and {len(restored.damaged) - _SHOWN:,} more")
    return not restored.damaged
