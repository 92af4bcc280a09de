"""Commands that give results away: a release of a collection, and SEGs as NIfTI."""

import sys
from pathlib import Path

import click
from rich.console import Console

from ct_assets.cli.collection import collection_store, named_collection
from ct_assets.cli.errors import EXIT_INCOMPLETE, clear_errors
from ct_assets.export.manifest import Release
from ct_assets.settings import settings
from ct_assets.store.paths import SeriesFolder
from ct_assets.store.uid import is_uid


@click.command()
@click.argument("collection")
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), required=True, help="Folder to make.")
def export(collection: str, out: Path) -> None:
    """Release the annotations of COLLECTION, the name of a file in collections/.

    OUT gets the SEGs and SRs of every series that may be released (dicom/), the tables of measurements (tables/), a
    manifest with checksums, licence, attribution and source, and SHA256SUMS for sha256sum --check. A series is refused,
    by name and with the reason, if something of it is missing or stale, does not read back, or is not accepted by
    dciodvfy and, before, by ct-assets validate. What a reviewer rejects or wants corrected is refused or left out
    (ct-assets review); what nobody has reviewed is released.

    Exit code 0: every fit series is released; 1: none; 3: some were refused.
    """
    with clear_errors():
        from ct_assets.export.release import export as write_release

        chosen = named_collection(collection)
        console = Console(stderr=True)
        with console.status("export") as status:
            release = write_release(
                chosen,
                collection_store(chosen),
                chosen.source.folder,
                out.expanduser().resolve(),
                lambda uid: status.update(f"series {uid}"),
            )
    _show(release, out)
    sys.exit(EXIT_INCOMPLETE if release.refused else 0)


@click.command("export-nifti")
@click.argument("series")
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), default=Path(), help="Folder; default: the present one."
)
@click.option("--model", "models", multiple=True, help="Model; may be given several times. Default: all with a SEG.")
def export_nifti(series: str, out: Path, models: tuple[str, ...]) -> None:
    """Write the SEGs of SERIES as NIfTI label maps on the grid of its CT: 1 esophagus, 2 heart, 3 trachea, 4 aorta.

    SERIES is the SeriesInstanceUID of a CT in a collection, or its folder below annotate --out.
    """
    with clear_errors():
        from ct_assets.export.nifti import export_label_maps

        for path in export_label_maps(_series(series), models, out.expanduser()):
            click.echo(path)


def _series(name: str) -> SeriesFolder:
    if Path(name).is_dir() and (Path(name) / "ct.json").is_file():
        return SeriesFolder(Path(name).resolve())
    found = sorted(Path(settings().home).glob(f"*/series/{name}/ct.json")) if is_uid(name) else []
    if len(found) > 1:
        places = ", ".join(str(path.parent) for path in found)
        message = f"series {name} is in several collections; give one of the folders: {places}"
        raise click.ClickException(message)
    if not found:
        message = f"{name}: no series with results in {settings().home}, and no folder of one"
        raise click.ClickException(message)
    return SeriesFolder(found[0].parent)


def _show(release: Release, out: Path) -> None:
    for title, reasons in (("Refused", release.refused), ("Unfit, not annotated", release.unfit)):
        if reasons:
            click.echo(f"{title}:")
        for uid, why in reasons.items():
            click.echo(f"  {uid}: {'; '.join(why)}")
    objects = sum(len(series.objects) for series in release.series)
    click.echo(
        f"{len(release.series)} series with {objects} objects released, {len(release.refused)} refused, "
        f"{len(release.unfit)} unfit: {out}"
    )
    if release.notice:
        click.echo(release.notice.capitalize())
