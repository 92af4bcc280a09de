"""By what series are judged: the limits of each rule in force, where they are from, and what bias they carry."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from ct_assets.qc_report.reference import published
from ct_assets.qc_report.rule import Outcome, Rule
from ct_assets.qc_report.wording import limits, unit_text

_KEY = ["rule", "metric", "subject", "model", "unit"]
_SOURCES = {
    "collection": "the collection's settings",
    "plausible": "plausible range, until the cohort is large enough",
}


@dataclass(frozen=True)
class LimitCell:
    """A range in force for one model, or for several beside each other, and how many values it judged."""

    allowed: str
    judged: int
    failing: int
    models: int = 1


@dataclass(frozen=True)
class LimitRow:
    """The ranges of a rule for one subject, or for several that share them; a None among the cells: no rule.

    ``note`` is the number of the bias of the reference, if the ranges are from there.
    """

    rule: Rule
    subject: str
    unit: str
    cells: tuple[LimitCell | None, ...]
    source: str
    note: int | None


def limit_rows(qc: pd.DataFrame, models: Sequence[str]) -> tuple[list[LimitRow], list[str]]:
    """Gather the limits that judged a table.

    Parameters
    ----------
    qc : DataFrame
        QC table (`ct_assets.store.tables.QC`), judged.
    models : sequence of str
        Models that have a column each; what another model found has one cell over all of them.

    Returns
    -------
    rows : list of LimitRow
        In the order of the rules.
    notes : list of str
        Biases of the published reference; the first has number 1.
    """
    notes: list[str] = []
    found: dict[tuple[Rule, str, str, str, int | None], dict[str, LimitCell]] = {}
    for row in _in_force(qc):
        bias = _bias(row)
        if bias and bias not in notes:
            notes.append(bias)
        note = notes.index(bias) + 1 if bias else None
        key = (Rule(row["rule"]), row["subject"].replace("_", " "), unit_text(row["unit"]), _source(row), note)
        cell = LimitCell(_allowed(row), int(row["judged"]), int(row["failing"]))
        found.setdefault(key, {})[row["model"]] = cell
    rows = [
        LimitRow(rule, subject, unit, _cells(cells, models), source, note)
        for (rule, subject, unit, source, note), cells in found.items()
    ]
    return _shared(rows), notes


def _in_force(qc: pd.DataFrame) -> list[dict[str, Any]]:
    """Return each metric, subject and model with its limits, and how many values were judged by them."""
    rows = qc.loc[qc["rule"] != "", [*_KEY, "lower", "upper", "limits_from", "outcome"]]
    if rows.empty:
        return []
    per_series = rows["rule"] == Rule.REGIONS
    rows = rows.assign(
        limits_from=rows["limits_from"].mask(per_series, "the series' other regions"),
        lower=rows["lower"].mask(per_series),
        upper=rows["upper"].mask(per_series),
        judged=rows["outcome"].isin([str(Outcome.PASS), str(Outcome.FAIL)]),
        failing=rows["outcome"] == str(Outcome.FAIL),
    )
    grouped = rows.groupby([*_KEY, "lower", "upper", "limits_from"], dropna=False, as_index=False)
    counted = grouped[["judged", "failing"]].sum()
    counted["order"] = counted["rule"].map([str(rule) for rule in Rule].index)
    ordered = counted.sort_values(["order", "metric", "subject", "model"], kind="stable")
    return [{str(name): value for name, value in row.items()} for row in ordered.to_dict("records")]


def _allowed(row: dict[str, Any]) -> str:
    if row["rule"] == Rule.REGIONS:
        return "no other region has more slices"
    return limits(row["lower"], row["upper"]) or "nothing to judge by yet"


def _source(row: dict[str, Any]) -> str:
    source = str(row["limits_from"])
    if source.startswith("reference "):
        return "published, " + source.removeprefix("reference ")
    if source.startswith("cohort, "):
        return "fences of this cohort"
    return _SOURCES.get(source, source)


def _bias(row: dict[str, Any]) -> str:
    """Return the bias of a published reference."""
    if not row["limits_from"].startswith("reference "):
        return ""
    entry = published(row["metric"], row["subject"], row["model"])
    return f"{entry.collection}: {entry.bias}" if entry else ""


def _cells(found: dict[str, LimitCell], models: Sequence[str]) -> tuple[LimitCell | None, ...]:
    """Return a cell per model; one for all where they share a range, and for what is of no model of these."""
    different = {cell.allowed for cell in found.values()}
    if len(different) == 1 and (set(models) <= set(found) or not set(models) & set(found)):
        judged, failing = (sum(getattr(cell, name) for cell in found.values()) for name in ("judged", "failing"))
        return (LimitCell(different.pop(), judged, failing, len(models)),)
    return tuple(found.get(model) for model in models)


def _shared(rows: list[LimitRow]) -> list[LimitRow]:
    """Let subjects with the same ranges share a row."""
    merged: dict[tuple[object, ...], LimitRow] = {}
    for row in rows:
        ranges = tuple(cell and (cell.allowed, cell.models) for cell in row.cells)
        key = (row.rule, row.unit, row.source, row.note, ranges)
        first = merged.get(key)
        merged[key] = row if first is None else _joined(first, row)
    return list(merged.values())


def _joined(first: LimitRow, second: LimitRow) -> LimitRow:
    cells = tuple(
        a and b and replace(a, judged=a.judged + b.judged, failing=a.failing + b.failing)
        for a, b in zip(first.cells, second.cells, strict=True)
    )
    return replace(first, subject=f"{first.subject}, {second.subject}", cells=cells)
