"""A QC table judged by the limits in force: of one series when it is measured, of a cohort when its fences move."""

import numpy as np
import pandas as pd

from ct_assets.qc_report.limits import Limits, LimitsInForce
from ct_assets.qc_report.rule import Outcome
from ct_assets.qc_report.rules import RULES
from ct_assets.qc_settings import Region

_KEY = ["metric", "subject", "model"]


def judged(qc: pd.DataFrame, limits: LimitsInForce, largest_region: Region | None) -> pd.DataFrame:
    """Judge every metric that has limits, whatever judged it before.

    Parameters
    ----------
    qc : DataFrame
        Columns of `ct_assets.store.tables.QC`, of one series or many.
    limits : LimitsInForce
        Limits of the collection.
    largest_region : str or None
        Region that more slices belong to than to any other.

    Returns
    -------
    DataFrame
        The same rows in the same order, with rule, limits, outcome and explanation. A row without a value keeps why it
        has none.
    """
    result = qc.reset_index(drop=True).copy()
    measured = result["value"].notna()
    result["rule"], result["limits_from"] = "", ""
    result["lower"], result["upper"] = np.nan, np.nan
    result.loc[measured, ["outcome", "explanation"]] = ""
    for (metric, subject, model), group in result.groupby(_KEY, sort=False):
        found = limits.of(str(metric), str(subject), str(model))
        if found is not None:
            _set_limits(result, group.index, str(metric), found)
    if largest_region is not None:
        _limit_by_other_regions(result, largest_region)
    for metric, rule in RULES.items():
        _judge(result, (result["metric"] == metric) & (result["rule"] == rule.rule) & measured)
    unknown = (result["rule"] != "") & measured & result["lower"].isna() & result["upper"].isna()
    result.loc[unknown, "outcome"] = str(Outcome.NOT_EVALUATED)
    result.loc[unknown, "explanation"] = result.loc[unknown, "limits_from"]
    return result


def _set_limits(table: pd.DataFrame, rows: pd.Index, metric: str, found: Limits) -> None:
    table.loc[rows, "rule"] = str(RULES[metric].rule)
    table.loc[rows, "limits_from"] = found.source
    table.loc[rows, "lower"] = np.nan if found.lower is None else found.lower
    table.loc[rows, "upper"] = np.nan if found.upper is None else found.upper


def _limit_by_other_regions(table: pd.DataFrame, largest: Region) -> None:
    """Ask of the largest region that no other has a larger share in its series."""
    ratios = table[table["metric"] == "region_ratio"]
    rows = ratios.index[ratios["subject"] == largest]
    others = ratios[(ratios["subject"] != largest) & ratios["value"].notna()]
    first = others.sort_values("value", ascending=False).drop_duplicates("SeriesInstanceUID")
    first = first.set_index("SeriesInstanceUID")
    series = table.loc[rows, "SeriesInstanceUID"]
    table.loc[rows, "rule"] = str(RULES["region_ratio"].rule)
    table.loc[rows, "lower"] = series.map(first["value"]).fillna(0.0)
    table.loc[rows, "limits_from"] = series.map("the series' share of " + first["subject"]).fillna("no other region")


def _judge(table: pd.DataFrame, rows: "pd.Series[bool]") -> None:
    if not rows.any():
        return
    part = table.loc[rows]
    passes = RULES[str(part["metric"].iloc[0])].passes
    value, lower, upper = (part[name].to_numpy(dtype=float) for name in ("value", "lower", "upper"))
    passed = passes(value, lower, upper)
    table.loc[rows, "outcome"] = np.where(passed, str(Outcome.PASS), str(Outcome.FAIL))
    table.loc[part.index[~passed], "explanation"] = [
        _explanation(*numbers) for numbers in zip(value[~passed], lower[~passed], upper[~passed], strict=True)
    ]


def _explanation(value: float, lower: float, upper: float) -> str:
    below = not np.isnan(lower) and value < lower
    return f"{value:.6g} is {'below' if below else 'above'} {lower if below else upper:.6g}"
