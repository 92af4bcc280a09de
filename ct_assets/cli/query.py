"""Command query: ask the tables of a collection by SQL."""

import click
import duckdb

from ct_assets.cli.collection import stored_collection
from ct_assets.cli.errors import clear_errors

_CONTENTS = """
SELECT table_name AS "table", string_agg(column_name || ' ' || lower(data_type), ', ' ORDER BY column_index) AS columns
FROM duckdb_columns() WHERE NOT internal GROUP BY table_name ORDER BY table_name
"""


@click.command()
@click.argument("collection")
@click.argument("sql", required=False)
@click.option(
    "--format", "form", type=click.Choice(["table", "csv", "json"]), default="table", show_default=True,
    help="table: as wide as the terminal, cut to 100 rows. csv, json (one object a line): everything.",
)  # fmt: skip
def query(collection: str, sql: str | None, form: str) -> None:
    """Ask the tables of COLLECTION, a name in collections/ or the folder given to annotate --out, by SQL (DuckDB).

    Without SQL the tables and their columns are listed. The view anatomy has one row per series. Which show T4 to T12:

    ct-assets query demo "SELECT SeriesInstanceUID FROM anatomy WHERE list_has_all(located, ['Th4', 'Th12'])"

    The view organ_shapes has one row per series, model and organ, with a column per shape feature:

    ct-assets query demo "SELECT SeriesInstanceUID, Sphericity FROM organ_shapes WHERE organ = 'heart'"

    More examples are in docs/body_parts.md and docs/shape_features.md. Files that cannot be read are named, and left
    out.
    """
    with clear_errors():
        from ct_assets.collection_database import open_database

        database = open_database(stored_collection(collection))
        for left_out in database.unreadable:
            click.echo(f"left out: {left_out}", err=True)
        try:
            result: duckdb.DuckDBPyRelation | None = database.connection.sql(sql or _CONTENTS)
            if result is None:
                message = "the SQL asks for nothing; give a SELECT"
                raise click.ClickException(message)
            _show(result, form if sql else "listing")
        except duckdb.Error as error:
            raise click.ClickException(str(error)) from error


def _show(result: duckdb.DuckDBPyRelation, form: str) -> None:
    if form == "listing":
        for name, columns in result.fetchall():
            click.echo(f"{name}: {columns}")
    elif form == "csv":
        click.echo(result.project("CAST(COLUMNS(*) AS VARCHAR)").df().to_csv(index=False), nl=False)
    elif form == "json":
        lines = result.query("answer", "SELECT CAST(to_json(answer) AS VARCHAR) FROM answer")
        for (line,) in lines.fetchall() if lines else ():
            click.echo(line)
    else:
        result.show(max_rows=100)
