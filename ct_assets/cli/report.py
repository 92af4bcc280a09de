"""Command report: the cohort page of a table of values, without the series themselves."""

from pathlib import Path

import click

from ct_assets.cli.collection import named_collection
from ct_assets.cli.errors import clear_errors
from ct_assets.store.atomic import write_text


@click.command()
@click.argument("table", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--collection", "name", required=True, help="Collection, for title, viewer and limits.")
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), default=Path("report.html"), show_default=True,
    help="Page to write.",
)  # fmt: skip
def report(table: Path, name: str, out: Path) -> None:
    """Judge the values in TABLE, CSV or Parquet, and write them as a cohort page with its interactive figures.

    One row per series, segmentation and organ, in the form of the published tables: columns PatientID,
    StudyInstanceUID, SeriesInstanceUID, SeriesDescription (which begins with the model, or with Manual) and region
    (the organ), and a column per value, named like a shape feature (Sphericity) or a metric (dice, hd95_volumetric).
    Ranges that follow from a cohort are the fences of the table itself.
    """
    with clear_errors():
        from ct_assets.cohort_report.from_table import read_table, reported
        from ct_assets.cohort_report.page import cohort_page
        from ct_assets.store.digest import file_digest

        collection = named_collection(name)
        content = read_table(table, collection)
        digest = file_digest(table)
        page = cohort_page(
            reported(collection, content),
            content.qc,
            features=content.features,
            made_from=f"the table {table.name} alone (SHA-256 {digest})",
        )
        write_text(out, page)
    if content.left_out:
        click.echo(f"columns left out: {', '.join(content.left_out)}", err=True)
    failing = content.qc.loc[content.qc["outcome"] == "fail", "SeriesInstanceUID"].nunique()
    series = content.qc["SeriesInstanceUID"].nunique()
    click.echo(f"{series:,} series, {failing:,} with a failing rule: {out}")
