"""The page of a collection: one self-contained HTML file that works offline, with the paper's figures interactive."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from ct_assets.cohort_report.figures import paper_figures
from ct_assets.cohort_report.series_table import SeriesRow, excluded_rows, series_rows
from ct_assets.collection import Collection
from ct_assets.provenance import DEMONSTRATION_NOTICE
from ct_assets.qc_report.finding import Outcome, Rule
from ct_assets.qc_report.templating import environment
from ct_assets.qc_report.wording import RULE_TITLES
from ct_assets.store.series_tables import UnreadableTable
from ct_assets.store.tables import COHORT, SELECTION_FLOW

_EXCLUDED_SHOWN = 1000


def cohort_page(
    collection: Collection,
    qc: pd.DataFrame,
    *,
    cohort: pd.DataFrame | None = None,
    selection_flow: pd.DataFrame | None = None,
    unfit: Mapping[str, str] | None = None,
    unreadable: Sequence[UnreadableTable] = (),
    versions: Mapping[str, str] | None = None,
) -> str:
    """Render the page of a collection.

    Parameters
    ----------
    collection : Collection
        The collection.
    qc : DataFrame
        QC rows of its series (`ct_assets.store.tables.QC`).
    cohort : DataFrame, optional
        Cohort table (`COHORT`).
    selection_flow : DataFrame, optional
        Selection flow (`SELECTION_FLOW`).
    unfit : mapping of str to str, optional
        SeriesInstanceUID -> reason of series that ct_nifti found unfit.
    unreadable : sequence of UnreadableTable
        QC tables that were left out.
    versions : mapping of str to str, optional
        Package -> version, shown at the end.

    Returns
    -------
    str
        HTML without any reference outside the file but links.
    """
    cohort = COHORT.empty() if cohort is None else cohort
    flow = SELECTION_FLOW.empty() if selection_flow is None else selection_flow
    unfit = unfit or {}
    rows = series_rows(qc, cohort, unfit, collection)
    figures = paper_figures(qc, collection)
    excluded = excluded_rows(cohort, unfit)
    return (
        environment("ct_assets.cohort_report")
        .get_template("report.html.j2")
        .render(
            collection=collection,
            notice=DEMONSTRATION_NOTICE if collection.demonstration else None,
            counts=_counts(rows, cohort, unfit),
            flow=_flow(flow),
            excluded=excluded[:_EXCLUDED_SHOWN],
            more_excluded=max(len(excluded) - _EXCLUDED_SHOWN, 0),
            unreadable=unreadable,
            rules=[(rule, RULE_TITLES[rule]) for rule in Rule if (qc["rule"] == rule).any()],
            tally=_tally(rows),
            rows=rows,
            figures=figures,
            plots=_script_json({figure.identifier: figure.plot for figure in figures if figure.plot}),
            # Trusted: the script of an installed package.
            plotly=Markup(get_plotlyjs().replace("</script", "<\\/script")),  # noqa: S704
            versions=versions or {},
        )
    )


def _counts(rows: Sequence[SeriesRow], cohort: pd.DataFrame, unfit: Mapping[str, str]) -> list[tuple[str, int]]:
    judged = [row for row in rows if not row.state]
    counts = [
        ("patients", len({row.patient_id for row in rows})),
        ("studies", len({row.study_instance_uid for row in rows})),
        ("series", len(rows)),
        ("with quality control", len(judged)),
        ("with a failing rule", sum(row.overall is Outcome.FAIL for row in rows)),
    ]
    excluded = int((~cohort["selected"].astype(bool)).sum()) + len(unfit)
    return [*counts, ("excluded", excluded)] if excluded else counts


def _flow(flow: pd.DataFrame) -> list[dict[str, Any]]:
    """Add to each step how many series it removed, and which share of the first is left."""
    ordered = flow.sort_values("step")
    left = [int(count) for count in ordered["series_left"]]
    return [
        {
            "criterion": criterion,
            "description": description,
            "series_left": left[step],
            "removed": left[step - 1] - left[step] if step else None,
            "not_evaluated": int(unknown) or None,
            "share": left[step] / (max(left) or 1),
        }
        for step, (criterion, description, unknown) in enumerate(
            ordered[["criterion", "description", "not_evaluated"]].itertuples(index=False)
        )
    ]


def _tally(rows: Sequence[SeriesRow]) -> dict[Rule, dict[Outcome, int]]:
    """Count series per rule and outcome."""
    return {
        rule: {outcome: sum(row.outcomes.get(rule) is outcome for row in rows) for outcome in Outcome}
        for rule in Rule
        if any(rule in row.outcomes for row in rows)
    }


def _script_json(plots: Mapping[str, dict[str, Any]]) -> Markup:
    """JSON that may stand in a script element: nothing in it can end the element."""
    text = json.dumps(plots, default=_plain, separators=(",", ":"), allow_nan=False)
    return Markup(text.replace("<", "\\u003c").replace("\u2028", "\\u2028"))  # noqa: S704


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return value.tolist()
    message = f"{type(value).__name__} cannot be in a figure"
    raise TypeError(message)
