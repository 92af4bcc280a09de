"""Command review: a person's verdicts on results, what waits for one, and the history."""

import sys

import click

from ct_assets.cli.collection import stored_collection, stored_collections
from ct_assets.cli.errors import EXIT_INCOMPLETE, clear_errors
from ct_assets.cli.review_summary import show_history, show_queues

_VERDICTS = ["accept", "reject", "needs-correction"]


@click.command()
@click.argument("collection", required=False)
@click.argument("series", required=False)
@click.option("--verdict", type=click.Choice(_VERDICTS), help="What you say of SERIES, or of a part of it.")
@click.option("--reviewer", envvar="CT_ASSETS_REVIEWER", help="Your name; also CT_ASSETS_REVIEWER. Required.")
@click.option("--model", default="", help="Only what this model made, such as 3d_fullres. Default: all models.")
@click.option("--subject", default="", help="Only this organ, landmark or region, such as heart. Default: all.")
@click.option("--comment", default="", help="Why, for those who read it later.")
@click.option(
    "--queue", is_flag=True, help="List what waits for review, worst first; all collections without COLLECTION."
)
@click.option("--history", is_flag=True, help="List the verdicts on COLLECTION, or on SERIES.")
@click.option(
    "--limit", type=click.IntRange(1), help="Most findings of the queue to list. Default: 30; with --json all."
)
@click.option("--json", "as_json", is_flag=True, help="Write the queue or the history as JSON.")
def review(
    collection: str | None,
    series: str | None,
    verdict: str | None,
    reviewer: str | None,
    model: str,
    subject: str,
    comment: str,
    queue: bool,
    history: bool,
    limit: int | None,
    as_json: bool,
) -> None:
    """Review results: say of SERIES, a SeriesInstanceUID in COLLECTION, or of a part of it, whether it is good.

    COLLECTION is a name in collections/ or the folder given to annotate --out.

    \b
    ct-assets review --queue
    ct-assets review demo 1.2.826... --verdict accept --reviewer "Jane Doe"
    ct-assets review demo 1.2.826... --verdict reject --model 3d_fullres --subject heart --comment "leaks" ...
    ct-assets review demo 1.2.826... --history

    A verdict holds for what there is now: if a label map or the body part regression becomes another one, what was
    said of it is reopened. Of several verdicts the latest counts; none is ever changed or removed.

    What is rejected or needs correction is not given away: export refuses the series, or leaves out the objects of the
    model, the landmarks or the regions. What is rejected is not in the figures of the next cohort_report either.

    Accepting is no DICOM verification: reports stay UNVERIFIED until a person answers for them with ct-assets sign-off.

    Exit code 0: done, also if nothing waits; 1: it could not be done; 2: the command line is wrong; 3: something could
    not be read, so that the queue or the history is not complete.
    """  # noqa: D301  # \b is Click's mark of lines to keep
    modes = [name for name, given in (("--verdict", verdict), ("--queue", queue), ("--history", history)) if given]
    if len(modes) != 1:
        given_ones = f", not {' and '.join(modes)}" if modes else ""
        message = f"give one of --verdict, --queue and --history{given_ones}"
        raise click.UsageError(message)
    if verdict is not None:
        _record(collection, series, verdict, reviewer, (model, subject, comment), listing=as_json or limit is not None)
        return
    if model or subject or comment:
        message = f"--model, --subject and --comment go with --verdict, not with {modes[0]}"
        raise click.UsageError(message)
    with clear_errors():
        if queue:
            if series is not None:
                message = "--queue lists a collection, not one series; leave SERIES out"
                raise click.UsageError(message)
            complete = show_queues(
                [stored_collection(collection)] if collection else stored_collections(), limit, as_json=as_json
            )
        else:
            if collection is None or limit is not None:
                message = "--history needs a COLLECTION" if collection is None else "--limit goes with --queue"
                raise click.UsageError(message)
            complete = show_history(stored_collection(collection), series, as_json=as_json)
    sys.exit(0 if complete else EXIT_INCOMPLETE)


def _record(
    collection: str | None,
    series: str | None,
    verdict: str,
    reviewer: str | None,
    about: tuple[str, str, str],
    *,
    listing: bool,
) -> None:
    if collection is None or series is None:
        message = "--verdict needs COLLECTION and SERIES"
        raise click.UsageError(message)
    if listing:
        message = "--json and --limit go with --queue and --history"
        raise click.UsageError(message)
    if reviewer is None:
        message = "--verdict needs --reviewer, or the environment variable CT_ASSETS_REVIEWER: who says so"
        raise click.UsageError(message)
    with clear_errors():
        from ct_assets.qc_report.reviewed import review_series
        from ct_assets.review.record import Opinion
        from ct_assets.review.verdict import Decision

        store = stored_collection(collection)
        model, subject, comment = about
        opinion = Opinion(Decision(verdict.replace("-", " ")), reviewer, model, subject, comment)
        recorded = review_series(store, store.path.resolve().name, series, opinion)
    click.echo(f"{series}: {recorded.scope}: {recorded.verdict} by {recorded.reviewer}")
