"""The table of all series: what each rule says about each, those furthest outside their limits first."""

from collections.abc import Hashable, Mapping, Set
from dataclasses import dataclass
from typing import Any, get_args

import pandas as pd

from ct_assets.collection import Collection
from ct_assets.organs import Configuration
from ct_assets.qc_report.finding import WORST_FIRST, series_outcomes
from ct_assets.qc_report.rule import Outcome, Rule
from ct_assets.qc_report.severity import severity
from ct_assets.qc_report.templating import viewer_link
from ct_assets.qc_report.wording import RULE_TITLES, limits, number

_KEYS = ["PatientID", "StudyInstanceUID", "SeriesInstanceUID"]


@dataclass(frozen=True)
class SeriesRow:
    """One series: the outcome of each rule, what failed in words and how far outside it is, and where to look at it.

    ``outside`` is the largest `ct_assets.qc_report.severity.severity` of its values.
    """

    patient_id: str
    study_instance_uid: str
    series_instance_uid: str
    outcomes: dict[Rule, Outcome]
    overall: Outcome | None
    failures: int
    outside: float
    explanation: str
    state: str
    viewer: str | None


@dataclass(frozen=True)
class ExcludedRow:
    """A series that was not annotated, and why."""

    patient_id: str
    series_instance_uid: str
    description: str
    reason: str


def series_rows(
    qc: pd.DataFrame,
    cohort: pd.DataFrame,
    unfit: Mapping[str, str],
    collection: Collection,
    rejected: Set[str] = frozenset(),
) -> list[SeriesRow]:
    """Return a row per selected or judged series, the worst first.

    Parameters
    ----------
    qc : DataFrame
        QC table of the collection.
    cohort : DataFrame
        Cohort table; may be empty.
    unfit : mapping of str to str
        SeriesInstanceUID -> reason of series that turned out unfit after selection.
    collection : Collection
        The collection, for the viewer.
    rejected : set of str, optional
        SeriesInstanceUIDs that a reviewer rejected as a whole: the page lists them apart.

    Returns
    -------
    list of SeriesRow
        Sorted by outcome, how far outside, number of failures, patient and UID.
    """
    selected = cohort[cohort["selected"].astype(bool)]
    series = pd.concat([qc[_KEYS], selected[_KEYS]]).drop_duplicates("SeriesInstanceUID")
    done = set(qc["SeriesInstanceUID"])
    series = series[~series["SeriesInstanceUID"].isin({*unfit, *rejected} - done)]
    failed = qc[qc["outcome"] == Outcome.FAIL]
    failed = failed.assign(outside=severity(failed))
    explanations = _explanations(failed)
    furthest = failed.groupby("SeriesInstanceUID")["outside"].max().to_dict()
    failures = failed["SeriesInstanceUID"].value_counts().to_dict()
    outcomes = series_outcomes(qc)
    rows = []
    for patient, study, uid in series.itertuples(index=False):
        found = outcomes.get(uid, {})
        rows.append(
            SeriesRow(
                patient_id=str(patient),
                study_instance_uid=str(study),
                series_instance_uid=str(uid),
                outcomes=found,
                overall=min(found.values(), key=WORST_FIRST.index) if found else None,
                failures=failures.get(uid, 0),
                outside=furthest.get(uid, 0.0),
                explanation=explanations.get(str(uid), ""),
                state="" if uid in done else "no QC yet",
                viewer=viewer_link(collection.viewer_url, str(study), str(uid)),
            )
        )
    return sorted(rows, key=_urgency)


def excluded_rows(cohort: pd.DataFrame, unfit: Mapping[str, str]) -> list[ExcludedRow]:
    """Return the series that selection left out and those that turned out unfit afterwards.

    Parameters
    ----------
    cohort : DataFrame
        Cohort table; may be empty.
    unfit : mapping of str to str
        SeriesInstanceUID -> reason.

    Returns
    -------
    list of ExcludedRow
        Sorted by patient and UID.
    """
    rows = []
    for patient, uid, description, chosen, reason in cohort[
        ["PatientID", "SeriesInstanceUID", "SeriesDescription", "selected", "reason"]
    ].itertuples(index=False):
        if not chosen:
            rows.append(ExcludedRow(str(patient), str(uid), str(description or ""), str(reason or "")))
        elif uid in unfit:
            rows.append(ExcludedRow(str(patient), str(uid), str(description or ""), f"unfit: {unfit[str(uid)]}"))
    return sorted(rows, key=lambda row: (row.patient_id, row.series_instance_uid))


def _explanations(failed: pd.DataFrame) -> dict[str, str]:
    """Say of each series what failed and by how much, the furthest outside first."""
    found: dict[str, list[dict[Hashable, Any]]] = {}
    for row in failed.sort_values("outside", ascending=False, kind="stable").to_dict("records"):
        found.setdefault(str(row["SeriesInstanceUID"]), []).append(row)
    return {uid: _explanation(rows) for uid, rows in found.items()}


def _explanation(failed: list[dict[Hashable, Any]]) -> str:
    """Write what failed, the models of an organ together, and limits once where they are the same."""
    values: dict[str, dict[str, list[str]]] = {}
    for row in failed:
        subject = f"{RULE_TITLES[Rule(row['rule'])]}, {row['subject']}"
        allowed = limits(row["lower"], row["upper"])
        values.setdefault(subject, {}).setdefault(allowed, []).append(_value(row))
    return "; ".join(
        f"{subject}: " + ", ".join(f"{', '.join(found)} ({allowed})" for allowed, found in by_limits.items())
        for subject, by_limits in values.items()
    )


def _value(row: dict[Hashable, Any]) -> str:
    written = number(row["value"], row["unit"])
    return f"{written} by {row['model']}" if row["model"] in get_args(Configuration) else written


def _urgency(row: SeriesRow) -> tuple[int, float, int, str, str]:
    rank = WORST_FIRST.index(row.overall) if row.overall else len(WORST_FIRST)
    return rank, -row.outside, -row.failures, row.patient_id, row.series_instance_uid
