"""The review queue: failing findings that nobody has judged as they are now, worst first."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from ct_assets.cohort_report.compact import compact
from ct_assets.qc_report.rule import Outcome
from ct_assets.qc_report.severity import severity
from ct_assets.qc_report.wording import limits
from ct_assets.review.digests import Judgeable, read_judgeable
from ct_assets.review.findings import UNKNOWN, finding_states
from ct_assets.review.history import collection_reviews
from ct_assets.review.state import OPEN, State, standing
from ct_assets.review.verdict import Verdict
from ct_assets.store.paths import CollectionFolder
from ct_assets.store.tables import QC

COLUMNS = ("series", "patient", "rule", "model", "subject", "value", "limits", "severity", "state", "page")
"""Columns of the queue. ``severity``: `ct_assets.qc_report.severity`; ``page``: path of the series page."""

REVIEW = "review"
"""In place of a rule: a person asked for it, and no rule."""

_IN_QUEUE = (*OPEN, State.NEEDS_CORRECTION)


@dataclass(frozen=True)
class ReviewQueue:
    """Findings to review, columns `COLUMNS`, and what could not be read, one sentence each."""

    findings: pd.DataFrame
    problems: tuple[str, ...] = field(default=())

    def summary(self) -> str:
        """Say in one line how much there is to do."""
        series, states = self.findings["series"], self.findings["state"]
        if not len(series):
            return "nothing to review"
        counts = [f"{int((states == state).sum())} {state}" for state in dict.fromkeys((*_IN_QUEUE, *states))]
        counted = ", ".join(text for text in counts if not text.startswith("0 "))
        return f"{_number(len(series), 'failing finding')} to review in {series.nunique()} series: {counted}"


def review_queue(store: CollectionFolder) -> ReviewQueue:
    """Return what a reviewer should look at in a collection.

    Parameters
    ----------
    store : CollectionFolder
        Results of the collection.

    Returns
    -------
    ReviewQueue
        Failing findings that are unreviewed, reopened or to be corrected, those farthest outside their limits first.
    """
    qc, problems = current_findings(store)
    failing = qc[qc["outcome"] == str(Outcome.FAIL)]
    reviews = collection_reviews(store)
    states = pd.Series(State.UNREVIEWED.value, index=failing.index, dtype=object)
    rows_of = failing.groupby("SeriesInstanceUID").indices
    known = set(qc["SeriesInstanceUID"])
    again = [failing.iloc[:0]]
    for uid in (reviews.verdicts.keys() | reviews.damaged.keys()) & known:
        mine = failing.index[rows_of.get(uid, [])]
        if uid in reviews.damaged:
            states[mine] = UNKNOWN
            continue
        try:
            now = read_judgeable(store.series(uid))
        except (OSError, ValueError, pa.ArrowException) as error:
            states[mine] = State.REOPENED.value
            problems.append(str(error))
        else:
            states[mine] = np.array(finding_states(failing.loc[mine], reviews.verdicts[uid], now), dtype=object)
            asked = _asked_again(reviews.verdicts[uid], now, failing.loc[mine], qc[qc["SeriesInstanceUID"] == uid])
            again.append(asked)
    waiting = states.isin([*_IN_QUEUE, UNKNOWN])
    without_finding = pd.concat(again, ignore_index=True)
    rows = pd.concat([failing[waiting], without_finding], ignore_index=True)
    ranked = _ranked(rows, pd.concat([states[waiting], without_finding["outcome"]], ignore_index=True), store)
    return ReviewQueue(ranked, (*problems, *reviews.damaged.values()))


def _asked_again(
    verdicts: tuple[Verdict, ...], now: Judgeable, failing: pd.DataFrame, series: pd.DataFrame
) -> pd.DataFrame:
    """Return a row for everything that was rejected by eye and is other content now, or that is to be corrected.

    No rule fails there, so nothing else asks for it; the state stands in ``outcome``, and the rule is "review".
    """
    rows = []
    for model, subject in sorted({(one.model or "", one.subject or "") for one in verdicts}):
        found = standing(verdicts, now, model or None, subject or None)
        if found.state not in (State.REOPENED, State.NEEDS_CORRECTION) or not found.withheld:
            continue
        concerned = failing["model"].isin([model]) | (model == "")
        concerned &= failing["subject"].isin([subject]) | (subject == "")
        if not concerned.any():
            rows.append({"rule": REVIEW, "model": model, "subject": subject, "outcome": found.state.value})
    if not rows:
        return series.iloc[:0]
    template = series.iloc[:1].assign(value=np.nan, lower=np.nan, upper=np.nan, explanation="")
    return pd.concat([template.assign(**row) for row in rows], ignore_index=True)


def open_findings(qc_table: Path, verdicts: Iterable[Verdict], now: Judgeable) -> int | None:
    """Count the failing findings of one series that nobody has judged as they are now.

    Parameters
    ----------
    qc_table : Path
        Its qc.parquet.
    verdicts : iterable of Verdict
        Verdicts on it, oldest first.
    now : Judgeable
        What there is in it now.

    Returns
    -------
    int or None
        None where there is no table that can be read.
    """
    try:
        qc = QC.read(qc_table)
    except (OSError, ValueError, pa.ArrowException):
        return None
    states = finding_states(qc[qc["outcome"] == str(Outcome.FAIL)], verdicts, now)
    return sum(state in OPEN for state in states)


def current_findings(store: CollectionFolder) -> tuple[pd.DataFrame, list[str]]:
    """Return the QC rows of a collection: as cohort_report judged them, and of later series as qc_report did.

    Parameters
    ----------
    store : CollectionFolder
        Results of the collection.

    Returns
    -------
    rows : DataFrame
        Columns of `ct_assets.store.tables.QC`.
    problems : list of str
        Tables that were left out, and why.
    """
    tables = {folder.series_instance_uid: folder.qc_table for folder in store.all_series()}
    made = {uid: path.stat().st_mtime_ns for uid, path in tables.items() if path.is_file()}
    judged, unreadable = compact(QC, [store.cohort.qc_table], "cohort_report")
    since = store.cohort.qc_table.stat().st_mtime_ns if len(judged) else 0
    known = set(judged["SeriesInstanceUID"])
    later = [uid for uid, moment in made.items() if moment > since or uid not in known]
    judged = judged[judged["SeriesInstanceUID"].isin(made.keys() - set(later))]
    rows, unreadable_series = compact(QC, [tables[uid] for uid in later], "qc_report")
    parts = [part for part in (judged, rows) if len(part)]
    together = pd.concat(parts, ignore_index=True) if parts else QC.empty()
    return together, [str(one) for one in (*unreadable, *unreadable_series)]


def _ranked(rows: pd.DataFrame, states: "pd.Series[str]", store: CollectionFolder) -> pd.DataFrame:
    queue = pd.DataFrame(
        {
            "series": rows["SeriesInstanceUID"].astype(str),
            "patient": rows["PatientID"].astype(str),
            "rule": rows["rule"].astype(str),
            "model": rows["model"].astype(str),
            "subject": rows["subject"].astype(str),
            "value": rows["value"].astype(float),
            "limits": [limits(lower, upper) for lower, upper in rows[["lower", "upper"]].itertuples(index=False)],
            "severity": severity(rows),
            "state": states,
            "page": [str(store.series(str(uid)).qc_page) for uid in rows["SeriesInstanceUID"]],
        },
        columns=list(COLUMNS),
    )
    order = ["severity", "patient", "series", "rule", "subject", "model"]
    return queue.sort_values(order, ascending=[False] + [True] * (len(order) - 1), kind="stable", ignore_index=True)


def _number(count: int, thing: str) -> str:
    return f"{count} {thing}{'' if count == 1 else 's'}"
