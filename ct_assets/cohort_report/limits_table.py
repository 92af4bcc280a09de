"""By what series are judged: the limits of each rule in force, where they are from, and what bias they carry."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from ct_assets.qc_report.finding import Outcome, Rule
from ct_assets.qc_report.reference import published
from ct_assets.qc_report.wording import limits, unit_text

_KEY = ["rule", "metric", "subject", "model", "unit"]
_SOURCE_TEXT = {
    "collection": "the collection's settings",
    "plausible": "plausible range, until the cohort is large enough",
}


@dataclass(frozen=True)
class LimitRow:
    """One range in force, for one or several subjects and models; ``note`` is the number of the bias, if any."""

    rule: Rule
    subject: str
    model: str
    allowed: str
    unit: str
    source: str
    judged: int
    failing: int
    note: int | None


def limit_rows(qc: pd.DataFrame, model_order: Sequence[str]) -> tuple[list[LimitRow], list[str]]:
    """Gather the limits that judged a table.

    Parameters
    ----------
    qc : DataFrame
        QC table (`ct_assets.store.tables.QC`), judged.
    model_order : sequence of str
        Models in the order to be shown.

    Returns
    -------
    rows : list of LimitRow
        In the order of the rules; subjects and models with the same range and source share a row.
    notes : list of str
        Biases of the published reference; the first has number 1.
    """
    notes: list[str] = []
    found: dict[tuple[object, ...], LimitRow] = {}
    for row in _in_force(qc, model_order):
        bias = _bias(row)
        if bias and bias not in notes:
            notes.append(bias)
        entry = LimitRow(
            rule=Rule(str(row["rule"])),
            subject=str(row["subject"]).replace("_", " "),
            model=str(row["model"]),
            allowed=_allowed(row),
            unit=unit_text(str(row["unit"])),
            source=_source(str(row["limits_from"])),
            judged=int(row["judged"]),
            failing=int(row["failing"]),
            note=notes.index(bias) + 1 if bias else None,
        )
        shared = (entry.rule, entry.subject, entry.allowed, entry.unit, entry.source, entry.note)
        found[shared] = _joined(found.get(shared), entry, "model")
    merged: dict[tuple[object, ...], LimitRow] = {}
    for entry in found.values():
        shared = (entry.rule, entry.model, entry.allowed, entry.unit, entry.source, entry.note)
        merged[shared] = _joined(merged.get(shared), entry, "subject")
    return list(merged.values()), notes


def _in_force(qc: pd.DataFrame, model_order: Sequence[str]) -> list[dict[str, Any]]:
    """Return each metric, subject and model with its limits, and how many values were judged by them."""
    rows = qc.loc[qc["rule"] != "", [*_KEY, "lower", "upper", "limits_from", "outcome"]]
    if rows.empty:
        return []
    per_series = rows["rule"] == Rule.REGIONS
    rows = rows.assign(limits_from=rows["limits_from"].mask(per_series, "the series' other regions"))
    rows = rows.assign(lower=rows["lower"].mask(per_series), upper=rows["upper"].mask(per_series))
    rows["judged"] = rows["outcome"].isin([str(Outcome.PASS), str(Outcome.FAIL)])
    rows["failing"] = rows["outcome"] == str(Outcome.FAIL)
    counted = rows.groupby([*_KEY, "lower", "upper", "limits_from"], dropna=False, as_index=False)[
        ["judged", "failing"]
    ].sum()
    rules, models = [str(rule) for rule in Rule], list(model_order)
    counted["first"] = counted["rule"].map(rules.index)
    counted["second"] = counted["model"].map(lambda model: models.index(model) if model in models else len(models))
    ordered = counted.sort_values(["first", "metric", "subject", "second"], kind="stable")
    return [{str(name): value for name, value in row.items()} for row in ordered.to_dict("records")]


def _allowed(row: dict[str, Any]) -> str:
    if row["rule"] == Rule.REGIONS:
        return "no other region has more slices"
    return limits(row["lower"], row["upper"]) or "none yet"


def _source(limits_from: str) -> str:
    if limits_from.startswith("reference "):
        return "published, " + limits_from.removeprefix("reference ")
    if limits_from.startswith("cohort, "):
        return "fences of this cohort, " + limits_from.removeprefix("cohort, ")
    return _SOURCE_TEXT.get(limits_from, limits_from)


def _bias(row: dict[str, Any]) -> str:
    """Return the bias of a published reference."""
    if not str(row["limits_from"]).startswith("reference "):
        return ""
    entry = published(str(row["metric"]), str(row["subject"]), str(row["model"]))
    return f"{entry.collection}: {entry.bias}" if entry else ""


def _joined(first: LimitRow | None, second: LimitRow, name: str) -> LimitRow:
    if first is None:
        return second
    texts = {"subject": first.subject, "model": first.model}
    texts[name] = f"{texts[name]}, {getattr(second, name)}"
    return LimitRow(
        first.rule, texts["subject"], texts["model"], first.allowed, first.unit, first.source,
        first.judged + second.judged, first.failing + second.failing, first.note,
    )  # fmt: skip
