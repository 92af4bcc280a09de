"""The page of a collection: one self-contained HTML file that works offline, with the paper's figures interactive."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from ct_assets.cohort_report.box import POINTS_DRAWN
from ct_assets.cohort_report.explorer import feature_explorer
from ct_assets.cohort_report.figures import model_colours, paper_figures
from ct_assets.cohort_report.limits_table import limit_rows
from ct_assets.cohort_report.models_compared import FEWEST_PAIRS, compare_models
from ct_assets.cohort_report.plots import plots, script_json
from ct_assets.cohort_report.rejected import RejectedRow
from ct_assets.cohort_report.series_index import SeriesIndex
from ct_assets.cohort_report.series_table import SeriesRow, excluded_rows, series_rows
from ct_assets.collection import Collection
from ct_assets.organs import EXPERT
from ct_assets.provenance import DEMONSTRATION_NOTICE
from ct_assets.qc_report.reference import reference_citation
from ct_assets.qc_report.rule import Outcome, Rule
from ct_assets.qc_report.templating import environment, viewer_link
from ct_assets.qc_report.wording import RULE_TITLES
from ct_assets.store.series_tables import UnreadableTable
from ct_assets.store.tables import CHARACTERISTICS, COHORT, SELECTION_FLOW, SHAPE_FEATURES

SERIES_SHOWN = 2000
"""Series in the table of the page, the worst first."""

_EXCLUDED_SHOWN = 1000


def cohort_page(
    collection: Collection,
    qc: pd.DataFrame,
    *,
    features: pd.DataFrame | None = None,
    cohort: pd.DataFrame | None = None,
    selection_flow: pd.DataFrame | None = None,
    characteristics: pd.DataFrame | None = None,
    unfit: Mapping[str, str] | None = None,
    unreadable: Sequence[UnreadableTable] = (),
    rejected: Sequence[RejectedRow] = (),
    versions: Mapping[str, str] | None = None,
    made_from: str = "",
) -> str:
    """Render the page of a collection.

    Parameters
    ----------
    collection : Collection
        The collection.
    qc : DataFrame
        QC rows of its series (`ct_assets.store.tables.QC`).
    features : DataFrame, optional
        Shape features of its series (`SHAPE_FEATURES`).
    cohort : DataFrame, optional
        Cohort table (`COHORT`).
    selection_flow : DataFrame, optional
        Selection flow (`SELECTION_FLOW`).
    characteristics : DataFrame, optional
        What there was before and after the selection (`CHARACTERISTICS`).
    unfit : mapping of str to str, optional
        SeriesInstanceUID -> reason of series that ct_nifti found unfit.
    unreadable : sequence of UnreadableTable
        Tables that were left out.
    rejected : sequence of RejectedRow
        What reviewers rejected, which the tables are without.
    versions : mapping of str to str, optional
        Package -> version, shown at the end.
    made_from : str, optional
        Where the values are from, if not from the series of the collection's store: then there are no series pages.

    Returns
    -------
    str
        HTML without any reference outside the file but links.
    """
    cohort = COHORT.empty() if cohort is None else cohort
    flow = SELECTION_FLOW.empty() if selection_flow is None else selection_flow
    features = SHAPE_FEATURES.empty() if features is None else features
    unfit = unfit or {}
    index = SeriesIndex(qc, cohort[cohort["selected"].astype(bool)])
    whole = {row.series_instance_uid for row in rejected if not row.model and not row.subject}
    rows = series_rows(qc, cohort, unfit, collection, whole)
    figures = paper_figures(qc, collection, index)
    explorer = feature_explorer(features, qc, collection, index)
    models = [model for model in model_colours(collection) if model != EXPERT]
    in_force, notes = limit_rows(qc, models)
    excluded = excluded_rows(cohort, unfit)
    viewer = collection.viewer_url if viewer_link(collection.viewer_url, "", "") is not None else None
    content = plots(figures, explorer, index, viewer=viewer, series_pages=not made_from)
    return (
        environment("ct_assets.cohort_report")
        .get_template("report.html.j2")
        .render(
            collection=collection,
            notice=DEMONSTRATION_NOTICE if collection.demonstration else None,
            counts=_counts(rows, cohort, unfit, whole),
            flow=_flow(flow),
            characteristics=_characteristics(characteristics),
            excluded=excluded[:_EXCLUDED_SHOWN],
            more_excluded=max(len(excluded) - _EXCLUDED_SHOWN, 0),
            unreadable=unreadable,
            rejected=rejected,
            rules=[(rule, RULE_TITLES[rule]) for rule in Rule if (qc["rule"] == rule).any()],
            tally=_tally(rows),
            rows=rows[:SERIES_SHOWN],
            series=len(rows),
            figures=figures,
            points_drawn=POINTS_DRAWN,
            sampled={
                figure.identifier: any(len(group) > POINTS_DRAWN for group in figure.groups) for figure in figures
            },
            explorer=explorer,
            comparisons=compare_models(qc, models),
            fewest_pairs=FEWEST_PAIRS,
            models=models,
            limits_in_force=in_force,
            notes=notes,
            reference=reference_citation() if notes else "",
            viewer=viewer,
            made_from=made_from,
            plots=script_json(content),
            # Trusted: the script of an installed package.
            plotly=Markup(get_plotlyjs().replace("</script", "<\\/script")),  # noqa: S704
            versions=versions or {},
        )
    )


def _counts(
    rows: Sequence[SeriesRow], cohort: pd.DataFrame, unfit: Mapping[str, str], rejected: set[str]
) -> list[tuple[str, int]]:
    judged = [row for row in rows if not row.state]
    counts = [
        ("patients", len({row.patient_id for row in rows})),
        ("studies", len({row.study_instance_uid for row in rows})),
        ("series", len(rows)),
        ("with quality control", len(judged)),
        ("with a failing rule", sum(row.overall is Outcome.FAIL for row in rows)),
    ]
    excluded = int((~cohort["selected"].astype(bool)).sum()) + len(unfit)
    further = [("excluded", excluded), ("rejected by review", len(rejected))]
    return [*counts, *(entry for entry in further if entry[1])]


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


def _characteristics(table: pd.DataFrame | None) -> list[tuple[str, int, int]]:
    rows = CHARACTERISTICS.empty() if table is None else table
    columns = ["characteristic", "before", "after"]
    return [(str(name), int(before), int(after)) for name, before, after in rows[columns].itertuples(index=False)]


def _tally(rows: Sequence[SeriesRow]) -> dict[Rule, dict[Outcome, int]]:
    """Count series per rule and outcome."""
    return {
        rule: {outcome: sum(row.outcomes.get(rule) is outcome for row in rows) for outcome in Outcome}
        for rule in Rule
        if any(rule in row.outcomes for row in rows)
    }
