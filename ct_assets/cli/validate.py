"""Command validate: DicomSRValidator on the reports of a collection."""

import sys

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from ct_assets.cli.collection import collection_store, named_collection
from ct_assets.cli.errors import EXIT_INCOMPLETE, clear_errors
from ct_assets.dicom.validators import ValidationOutcome
from ct_assets.sr_validation.cohort import REMEDY, CohortValidation, rejections, validate_cohort


@click.command()
@click.argument("collection")
def validate(collection: str) -> None:
    """Check the reports of COLLECTION, the name of a file in collections/, with PixelMed's DicomSRValidator.

    The same as materializing <collection>/sr_validation in the web UI. It takes a few seconds to start and then less
    than a second for most reports; reports that have not changed since are not checked again. Larger collections are
    checked by a sample (report_validation in the YAML). A release asks for it: ct-assets export.

    Exit code 0: every report was accepted; 1: there is no report; 3: one was rejected, or the validator is not
    installed.
    """
    with clear_errors():
        chosen = named_collection(collection)
        console = Console(stderr=True)
        columns = (TextColumn("reports"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
            task = bar.add_task("reports", total=None)
            found = validate_cohort(
                collection_store(chosen),
                chosen.report_validation,
                lambda done, of_all: bar.update(task, completed=done, total=of_all),
            )
    if found.outcome is None:
        message = f"no series of {collection} has a report yet; annotate it first"
        raise click.ClickException(message)
    _show(found)
    sys.exit(0 if found.outcome is ValidationOutcome.ACCEPTED else EXIT_INCOMPLETE)


def _show(found: CohortValidation) -> None:
    rejected = rejections(found.rows)
    for text in rejected:
        click.echo(text)
    if found.outcome is ValidationOutcome.NOT_INSTALLED:
        click.echo(REMEDY)
    click.echo(
        f"{len(found.rows)} reports of {found.chosen} of {found.series} series ({found.reused} known before): "
        f"{len(rejected)} rejected."
    )
