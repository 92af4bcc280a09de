"""The page of one series: a self-contained HTML file of at most 1 MB that a reviewer judges the series by."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

import pandas as pd
from markupsafe import Markup

from ct_assets.bpr_json.body_axis import body_axis
from ct_assets.organs import EXPERT, LUNGS, ORGANS
from ct_assets.picture.planes import Orientation, Plane, plane_image
from ct_assets.qc_report.comparison import Comparisons
from ct_assets.qc_report.finding import rule_outcomes
from ct_assets.qc_report.inputs import SeriesInputs
from ct_assets.qc_report.outline import css, organ_colour, svg_path
from ct_assets.qc_report.page_tables import axis_rows, extents, feature_rows, metric_rows
from ct_assets.qc_report.preview import focus, panels
from ct_assets.qc_report.rule import Outcome, Rule
from ct_assets.qc_report.templating import environment, viewer_link
from ct_assets.qc_report.wording import RULE_TITLES
from ct_assets.store.tables import DISTRIBUTIONS

PAGE_LIMIT = 1_000_000
"""Largest page in bytes."""


def series_page(
    inputs: SeriesInputs,
    qc: pd.DataFrame,
    files: Sequence[tuple[str, int]] = (),
    cohort: pd.DataFrame | None = None,
    reviews: Markup | None = None,
) -> str:
    """Render the page of a series.

    Parameters
    ----------
    inputs : SeriesInputs
        The series, loaded.
    qc : DataFrame
        Its QC table, from `ct_assets.qc_report.evaluate.evaluate`.
    files : sequence of tuple of str and int
        Paths relative to the page, and sizes in bytes.
    cohort : DataFrame, optional
        Distributions of its cohort (`ct_assets.store.tables.DISTRIBUTIONS`), to compare with.
    reviews : Markup, optional
        What reviewers say, from `ct_assets.qc_report.review_section.review_section`.

    Returns
    -------
    str
        HTML without any reference outside the file but links.
    """
    record = inputs.record
    models = list(inputs.label_maps)
    columns = [*models, EXPERT] if inputs.expert is not None or (qc["model"] == EXPERT).any() else models
    organs = list(ORGANS.values())
    drawn = panels(inputs)
    comparisons = Comparisons(DISTRIBUTIONS.empty() if cohort is None else cohort, inputs.collection.qc.cohort_minimum)
    unlocated = inputs.landmarks[~inputs.landmarks["located"].astype(bool)]
    return (
        environment()
        .get_template("series.html.j2")
        .render(
            collection=inputs.collection,
            record=record,
            spacing_mm=inputs.spacing_mm,
            notice=inputs.notice,
            viewer=viewer_link(inputs.collection.viewer_url, record.study_instance_uid, record.series_instance_uid),
            verdicts=_verdicts(qc),
            reviews=reviews or "",
            panels=drawn,
            panel_widths=[panel.width_mm / sum(other.width_mm for other in drawn) for panel in drawn],
            colours={organ: css(organ_colour(organ)) for organ in organs},
            body_axis=_body_axis(inputs),
            unlocated=list(zip(unlocated["landmark"], unlocated["reason"], strict=True)),
            models=models,
            columns=columns,
            organ_rows={
                organ: metric_rows(qc[qc["subject"] == organ], columns, comparisons) for organ in (*organs, LUNGS)
            },
            axis_rows=axis_rows(qc, [*organs, LUNGS], comparisons),
            features={organ: feature_rows(inputs.features, organ, columns, comparisons) for organ in organs},
            extents={organ: extents(inputs.features, organ) for organ in organs},
            files=[(path, quote(path), size) for path, size in files],
            label_map_records=inputs.label_map_records,
            body_part=inputs.body_part,
            expert=inputs.expert,
        )
    )


def _body_axis(inputs: SeriesInputs) -> Markup | None:
    """Draw the body axis on the plane through the heart, with the expert's lungs; None where slices are not axial."""
    orientation = Orientation.of(inputs.affine, inputs.ct.shape)
    centre = focus(inputs, orientation)
    lungs = (inputs.expert or {}).get(LUNGS)
    outline = ""
    if lungs is not None:
        plane = plane_image(orientation.turned(lungs), Plane.CORONAL, centre)
        outline = svg_path(plane, orientation.pixel_mm(Plane.CORONAL))
    axis = body_axis(
        inputs.record,
        inputs.ct,
        inputs.body_part,
        inputs.landmarks,
        inputs.regions,
        coronal=centre[1],
        outline=outline,
    )
    return None if axis is None else Markup(axis.svg())  # noqa: S704 (escaped by its own template)


def _verdicts(qc: pd.DataFrame) -> list[dict[str, Any]]:
    """Outcome of each rule and, where it is not a plain pass, what it found."""
    verdicts = []
    for rule, outcome in rule_outcomes(qc).items():
        rows = qc[qc["rule"] == rule]
        notable = rows[(rows["outcome"] == outcome) & (outcome is not Outcome.PASS)]
        details: dict[str, list[str]] = {}
        for subject, model, explanation in zip(
            notable["subject"], notable["model"], notable["explanation"], strict=True
        ):
            details.setdefault(f"{subject}: {explanation}", []).append(model)
        verdicts.append(
            {
                "title": RULE_TITLES[Rule(rule)],
                "outcome": outcome,
                "count": f"{(rows['outcome'] == Outcome.PASS).sum()} of {len(rows)} pass",
                "details": [f"{text} ({', '.join(models)})" for text, models in details.items()],
            }
        )
    return verdicts
