"""Commands about the cohort of a collection: select it, fetch its series."""

import sys
from pathlib import Path

import click
from rich.console import Console

from ct_assets.cli.collection import collection_store, named_collection
from ct_assets.cli.errors import EXIT_INCOMPLETE, clear_errors
from ct_assets.settings import settings
from ct_assets.source_settings import FolderSource
from ct_assets.store.tables import COHORT
from resources.dicom_source import DicomSource
from resources.series_download import Fetched, RemoteSeries


@click.command()
@click.argument("collection")
def cohort(collection: str) -> None:
    """Select the series of COLLECTION, the name of a file in collections/, and show the selection.

    The same as materializing <collection>/cohort_table in the web UI: partitions are registered, and the tables and
    manifests are written to <home>/<collection>/cohort/.
    """
    with clear_errors():
        chosen = named_collection(collection)
        import dagster as dg

        from ct_assets import run
        from ct_assets.cli import cohort_summary
        from ct_assets.installation import resources

        settings().state.mkdir(parents=True, exist_ok=True)
        metadata = run.select_cohort(chosen, instance=dg.DagsterInstance.get(), resources=resources())
        cohort_summary.show(collection_store(chosen).cohort, metadata)


@click.command()
@click.argument("source")
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), help="Folder to fetch into; for a collection its mirror."
)
@click.option(
    "--series", "uids", multiple=True, help="SeriesInstanceUID to fetch; may be given several times. Default: all."
)
@click.option("--workers", type=click.IntRange(1, 256), default=16, show_default=True, help="Files fetched at a time.")
def fetch(source: str, out: Path | None, uids: tuple[str, ...], workers: int) -> None:
    """Fetch the selected series of SOURCE from the public buckets of the Imaging Data Commons; no account is needed.

    SOURCE is the name of a collection whose cohort is selected, or a manifest.json, which brings back the cohort that
    it describes. The experts' segmentations of a series come with it. Each series gets a folder of its own and appears
    there only when it is complete and verified; what is there is not fetched again, and an interrupted call goes on
    where it stopped.

    Exit code 0: all series are there; 1: none could be fetched; 3: some could not.
    """
    with clear_errors():
        from ct_assets.cli import cohort_summary
        from ct_assets.cohort_table.manifest import series_of_manifest
        from ct_assets.installation import resources

        if source.endswith(".json"):
            wanted, folder = series_of_manifest(Path(source), uids or None), None
        else:
            wanted, folder = _selected(source, uids)
        if out is None and folder is None:
            message = "give --out, the folder to fetch into"
            raise click.UsageError(message)
        target = (out or folder or Path()).expanduser().resolve()
        dicom_source = resources()["dicom_source"]
        assert isinstance(dicom_source, DicomSource)
        with cohort_summary.fetch_progress(wanted) as progress:
            results = dicom_source.fetch(wanted, target, workers=workers, progress=progress)
    _show(results, target)


def _selected(name: str, uids: tuple[str, ...]) -> tuple[list[RemoteSeries], Path]:
    """Return what is to be fetched of a collection, and its mirror."""
    from ct_assets.ct_nifti.fetch import remote_series

    collection = named_collection(name)
    store = collection_store(collection)
    if isinstance(collection.source, FolderSource):
        message = f"collection {name} has nothing to fetch: its files are in {collection.source.folder}"
        raise click.ClickException(message)
    if not store.cohort.cohort.is_file():
        message = f"the cohort of {name} is not selected yet; run: ct-assets cohort {name}"
        raise click.ClickException(message)
    table = COHORT.read(store.cohort.cohort).set_index("SeriesInstanceUID")
    for uid in uids:
        if uid not in table.index or not table.loc[uid, "selected"]:
            reason = str(table.loc[uid, "reason"]) if uid in table.index else "the collection has no such CT series"
            message = f"series {uid} is not selected: {reason}"
            raise click.ClickException(message)
    wanted = remote_series(store, uids or None)
    if not wanted:
        message = f"no series of {name} is selected; see {store.cohort.cohort}"
        raise click.ClickException(message)
    return wanted, collection.source.folder


def _show(results: list[Fetched], target: Path) -> None:
    console = Console()
    failed = [result for result in results if result.status == "failed"]
    for result in failed:
        console.print(str(result.reason), soft_wrap=True, markup=False)
    fetched = [result for result in results if result.status == "fetched"]
    size = sum(result.bytes for result in fetched) / 1e9
    present = len(results) - len(fetched) - len(failed)
    console.print(
        f"{len(fetched)} series fetched ({size:.2f} GB), {present} were there, {len(failed)} failed: {target}",
        soft_wrap=True,
        markup=False,
    )
    if failed:
        sys.exit(1 if len(failed) == len(results) else EXIT_INCOMPLETE)
