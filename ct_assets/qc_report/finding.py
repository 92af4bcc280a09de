"""A finding: one metric of one series with its limits and outcome, and the table of them."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass

import pandas as pd

from ct_assets.qc_report.rule import Outcome, Rule
from ct_assets.store.tables import QC


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One metric of one subject, measured and not yet judged; ``unit`` is UCUM.

    Without a value, ``outcome`` is "not measurable" or "not evaluated" and ``explanation`` says why.
    """

    metric: str
    value: float | None
    unit: str
    subject: str
    model: str = ""
    outcome: Outcome | None = None
    explanation: str = ""


@dataclass(frozen=True)
class SeriesIdentity:
    """Which series a finding is about."""

    collection: str
    patient_id: str
    study_instance_uid: str
    series_instance_uid: str


def to_table(findings: Iterable[Finding], series: SeriesIdentity) -> pd.DataFrame:
    """Return findings as rows of the QC table that no rule has judged yet.

    Parameters
    ----------
    findings : iterable of Finding
        Findings about one series.
    series : SeriesIdentity
        The series.

    Returns
    -------
    DataFrame
        Columns of `ct_assets.store.tables.QC`.
    """
    rows = [
        {
            "collection": series.collection,
            "PatientID": series.patient_id,
            "StudyInstanceUID": series.study_instance_uid,
            "SeriesInstanceUID": series.series_instance_uid,
            **asdict(finding),
            "outcome": str(finding.outcome or ""),
            "rule": "",
            "lower": None,
            "upper": None,
            "limits_from": "",
        }
        for finding in findings
    ]
    if not rows:
        return QC.empty()
    frame = pd.DataFrame(rows, columns=list(QC.columns))
    return frame.astype(dict.fromkeys(("value", "lower", "upper"), float))


WORST_FIRST = (Outcome.FAIL, Outcome.NOT_MEASURABLE, Outcome.PASS, Outcome.NOT_EVALUATED)
"""Which outcome stands for several: a failure outweighs all, then what could not be measured."""


def worst(outcomes: Iterable[str]) -> Outcome:
    """Return the outcome that stands for several.

    Parameters
    ----------
    outcomes : iterable of str
        Values of `Outcome`; empty strings (no rule) count for nothing.

    Returns
    -------
    Outcome
        "not evaluated" where there is none.

    Raises
    ------
    ValueError
        If a string is no outcome.
    """
    found = {Outcome(outcome) for outcome in outcomes if outcome}
    return next((outcome for outcome in WORST_FIRST if outcome in found), Outcome.NOT_EVALUATED)


def series_outcomes(qc: pd.DataFrame) -> dict[str, dict[Rule, Outcome]]:
    """Return the worst outcome of each rule of each series of a cohort.

    Parameters
    ----------
    qc : DataFrame
        QC table of many series.

    Returns
    -------
    dict
        SeriesInstanceUID -> rule -> outcome, for the rules that have rows.

    Raises
    ------
    ValueError
        If an outcome is none.
    """
    judged = qc[(qc["rule"] != "") & (qc["outcome"] != "")]
    ranks = judged["outcome"].map({str(outcome): rank for rank, outcome in enumerate(WORST_FIRST)})
    if ranks.isna().any():
        message = f"no outcome: {judged.loc[ranks.isna(), 'outcome'].iloc[0]!r}"
        raise ValueError(message)
    found: dict[str, dict[Rule, Outcome]] = {}
    for rule in Rule:
        of_rule = judged["rule"] == rule
        for uid, rank in ranks[of_rule].groupby(judged.loc[of_rule, "SeriesInstanceUID"]).min().items():
            found.setdefault(str(uid), {})[rule] = WORST_FIRST[int(rank)]
    return found


def rule_outcomes(qc: pd.DataFrame) -> dict[Rule, Outcome]:
    """Return the worst outcome of each rule, for the rules that have rows.

    Parameters
    ----------
    qc : DataFrame
        QC table of one series.

    Returns
    -------
    dict
        Rule -> outcome, in the order of `Rule`.
    """
    return {rule: worst(qc.loc[qc["rule"] == rule, "outcome"]) for rule in Rule if (qc["rule"] == rule).any()}
