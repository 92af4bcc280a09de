"""What the command line shows of reviews: the queue of findings, and the history of verdicts."""

import json
import math
from collections.abc import Sequence

import click
import pandas as pd
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ct_assets.cohort_report.queue import review_queue
from ct_assets.qc_report.wording import number
from ct_assets.review.digests import Judgeable, read_judgeable
from ct_assets.review.history import Reviews, collection_reviews, series_reviews
from ct_assets.review.section import review_rows
from ct_assets.review.verdict import Verdict
from ct_assets.store.paths import CollectionFolder

_SHOWN = 30
_WIDTH = 200  # of a listing that goes into a file


def show_queues(stores: Sequence[CollectionFolder], limit: int | None, *, as_json: bool) -> bool:
    """Print what waits for review in some collections, the worst of all first.

    Parameters
    ----------
    stores : sequence of CollectionFolder
        Collections.
    limit : int or None
        Most findings to print; none: 30 in a table, all as JSON.
    as_json : bool
        Print a JSON list instead of a table.

    Returns
    -------
    bool
        Whether everything could be read.
    """
    queues = {store.path.resolve().name: review_queue(store) for store in stores}
    parts = [queue.findings.assign(collection=name) for name, queue in queues.items() if len(queue.findings)]
    findings = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()
    if parts:
        findings = findings.sort_values("severity", ascending=False, kind="stable", ignore_index=True)
    problems = [problem for queue in queues.values() for problem in queue.problems]
    for problem in problems:
        click.echo(f"left out: {problem}", err=True)
    if as_json:
        shown = findings.head(limit) if limit else findings
        click.echo(json.dumps([_plain(row) for row in shown.to_dict("records")], ensure_ascii=False, indent=1))
        return not problems
    shown = findings.head(limit or _SHOWN)
    if len(shown):
        _console().print(_queue_table(shown, with_collection=len(queues) > 1))
    if len(shown) < len(findings):
        click.echo(f"the worst {len(shown)} of {len(findings)}; more with --limit {len(findings)}")
    for name, queue in queues.items():
        click.echo(f"{name}: {queue.summary()}")
    if len(shown):
        click.echo("Look at the page of a series, <collection>/series/<series>/qc.html, then: ct-assets review --help")
    return not problems


def show_history(store: CollectionFolder, series: str | None, *, as_json: bool) -> bool:
    """Print the verdicts on a collection or on one of its series.

    Parameters
    ----------
    store : CollectionFolder
        The collection.
    series : str or None
        The series; none: all.
    as_json : bool
        Print the verdicts as they are kept, instead of a table.

    Returns
    -------
    bool
        Whether everything could be read.

    Raises
    ------
    InvalidUidError
        If `series` is no UID.
    """
    reviews = collection_reviews(store) if series is None else _of_one(store, series)
    for problem in reviews.damaged.values():
        click.echo(f"left out: {problem}", err=True)
    if as_json:
        verdicts = [one.model_dump(mode="json") for given in reviews.verdicts.values() for one in given]
        click.echo(json.dumps(verdicts, ensure_ascii=False, indent=1))
        return not reviews.damaged
    complete = not reviews.damaged
    table = Table("series", "when", "reviewer", "about", "verdict", "holds", "comment", title_justify="left")
    for uid, given in reviews.verdicts.items():
        try:
            now = read_judgeable(store.series(uid))
        except (OSError, ValueError) as error:
            click.echo(f"left out: what series {uid} is now: {error}", err=True)
            now, complete = Judgeable(), False
        for row in review_rows(given, now):
            cells = (
                uid,
                row.when,
                row.reviewer,
                row.scope,
                row.verdict,
                "yes" if row.current else "reopened",
                row.comment,
            )
            table.add_row(*(Text(cell, overflow="fold") for cell in cells))
    if table.row_count:
        _console().print(table)
    count = sum(len(given) for given in reviews.verdicts.values())
    click.echo(f"{count} verdict{'' if count == 1 else 's'} on {len(reviews.verdicts)} series")
    return complete


def _of_one(store: CollectionFolder, series: str) -> Reviews:
    given: tuple[Verdict, ...] = series_reviews(store, series)
    return Reviews({series: given} if given else {})


def _queue_table(findings: pd.DataFrame, *, with_collection: bool) -> Table:
    columns = [*(["collection"] if with_collection else []), "series", "patient", "rule", "model", "subject"]
    table = Table(*columns, title_justify="left")
    for name in ("value", "limits", "severity"):
        table.add_column(name, justify="right")
    table.add_column("state")
    for row in findings.to_dict("records"):
        cells = [Text(str(row[name]), overflow="fold") for name in columns]
        numbers = [number(float(row["value"])), str(row["limits"]), f"{row['severity']:.2f}"]
        table.add_row(*cells, *map(Text, numbers), Text(str(row["state"])))
    return table


def _plain(row: dict[object, object]) -> dict[str, object]:
    """Return a row as JSON has it: a value that is missing is null."""
    return {
        str(name): None if isinstance(value, float) and not math.isfinite(value) else value
        for name, value in row.items()
    }


def _console() -> Console:
    return Console(width=None if Console().is_terminal else _WIDTH, highlight=False)
