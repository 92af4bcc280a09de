"""Command status: how far each collection is."""

import json
from dataclasses import asdict

import click

from ct_assets.cli.collection import collection_store, named_collection
from ct_assets.cli.errors import clear_errors
from ct_assets.collection import load_collections
from ct_assets.settings import settings


@click.command()
@click.argument("names", metavar="[COLLECTION]...", nargs=-1)
@click.option("--json", "as_json", is_flag=True, help="Write JSON: a list with one object per collection.")
def status(names: tuple[str, ...], as_json: bool) -> None:
    r"""Show how far collections are; all in collections/ that have partitions or results, if none is named.

    Series annotated, failed and why, unfit, excluded, being worked on, queued, missing and waiting for review; the
    median seconds of each stage; what the results take on disk. It only reads, and can be asked while the service runs.

    \b
    ct-assets status
    ct-assets status nlst --json

    A series that failed is asked for again by the schedule, up to schedule.attempts times; after that it is left to
    you: mend the cause, then materialize its partition.
    """
    import dagster as dg

    from ct_assets.cli.status_summary import show
    from ct_assets.status import collection_status

    with clear_errors():
        settings().state.mkdir(parents=True, exist_ok=True)
        collections = [named_collection(name) for name in names] or load_collections()
        with dg.DagsterInstance.get() as instance:
            found = [collection_status(each, collection_store(each), instance) for each in collections]
        if not names:
            found = [each for each in found if each.registered or each.excluded or each.disk.series]
    if as_json:
        click.echo(json.dumps([asdict(each) for each in found], ensure_ascii=False, indent=1))
    elif found:
        show(found)
    else:
        click.echo("no collection has partitions or results yet; materialize its cohort_table, or: ct-assets demo")
