"""The table of all series: what each rule says about each, failing first."""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from ct_assets.collection import Collection
from ct_assets.qc_report.finding import Outcome, Rule, worst
from ct_assets.qc_report.templating import viewer_link
from ct_assets.qc_report.wording import RULE_TITLES, limits, number

_URGENCY = [Outcome.FAIL, Outcome.NOT_MEASURABLE, Outcome.PASS, Outcome.NOT_EVALUATED]


@dataclass(frozen=True)
class SeriesRow:
    """One series: the outcome of each rule, what failed in words, and where to look at it."""

    patient_id: str
    study_instance_uid: str
    series_instance_uid: str
    outcomes: dict[Rule, Outcome]
    overall: Outcome | None
    failures: int
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
    qc: pd.DataFrame, cohort: pd.DataFrame, unfit: Mapping[str, str], collection: Collection
) -> list[SeriesRow]:
    """Return a row per selected or judged series, the most failures first.

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

    Returns
    -------
    list of SeriesRow
        Sorted by outcome, number of failures, patient and UID.
    """
    selected = cohort[cohort["selected"].astype(bool)]
    keys = ["PatientID", "StudyInstanceUID", "SeriesInstanceUID"]
    series = pd.concat([qc[keys], selected[keys]]).drop_duplicates("SeriesInstanceUID")
    series = series[~series["SeriesInstanceUID"].isin(set(unfit) - set(qc["SeriesInstanceUID"]))]
    judged = dict(iter(qc[qc["rule"] != ""].groupby("SeriesInstanceUID")))
    done = set(qc["SeriesInstanceUID"])
    rows = [
        _row(patient, study, uid, judged.get(uid), collection, done=uid in done)
        for patient, study, uid in series.to_numpy().tolist()
    ]
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


def _row(
    patient: str, study: str, uid: str, judged: pd.DataFrame | None, collection: Collection, *, done: bool
) -> SeriesRow:
    rows = [] if judged is None else judged.to_dict("records")
    failed = [row for row in rows if row["outcome"] == Outcome.FAIL]
    found: dict[str, list[str]] = {}
    for row in rows:
        found.setdefault(row["rule"], []).append(row["outcome"])
    outcomes = {rule: worst(found[rule]) for rule in Rule if rule in found}
    return SeriesRow(
        patient_id=patient,
        study_instance_uid=study,
        series_instance_uid=uid,
        outcomes=outcomes,
        overall=worst(outcomes.values()) if outcomes else None,
        failures=len(failed),
        explanation=_explanation(failed),
        state="" if done else "no QC yet",
        viewer=viewer_link(collection.viewer_url, study, uid),
    )


def _explanation(failed: list[dict[Hashable, Any]]) -> str:
    """Say what failed and by how much, the models of an organ together."""
    values: dict[str, list[str]] = {}
    for row in failed:
        subject = f"{RULE_TITLES[Rule(row['rule'])]}, {row['subject']}: {{}} ({limits(row['lower'], row['upper'])})"
        values.setdefault(subject, []).append(number(row["value"], row["unit"]))
    return "; ".join(subject.format(", ".join(found)) for subject, found in values.items())


def _urgency(row: SeriesRow) -> tuple[int, int, str, str]:
    rank = _URGENCY.index(row.overall) if row.overall else len(_URGENCY)
    return rank, -row.failures, row.patient_id, row.series_instance_uid
