"""The page of one series: a self-contained HTML file of at most 1 MB that a reviewer judges the series by."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import pandas as pd
from markupsafe import Markup

from ct_assets.bpr_json.body_axis import body_axis
from ct_assets.collection import EXPERT, LUNGS, ORGANS
from ct_assets.picture.planes import Orientation, Plane, plane_image
from ct_assets.qc_report.finding import Outcome, Rule, rule_outcomes
from ct_assets.qc_report.inputs import SeriesInputs
from ct_assets.qc_report.outline import css, organ_colour, svg_path
from ct_assets.qc_report.preview import focus, panels
from ct_assets.qc_report.templating import environment, viewer_link
from ct_assets.qc_report.wording import METRIC_TITLES, RULE_TITLES

PAGE_LIMIT = 1_000_000
"""Largest page in bytes."""


@dataclass(frozen=True)
class Cell:
    """One value in a table of the page."""

    value: float | None
    outcome: str
    explanation: str


@dataclass(frozen=True)
class Row:
    """One metric of one subject, with a cell per model."""

    metric: str
    unit: str
    lower: float | None
    upper: float | None
    cells: tuple[Cell | None, ...]


def series_page(inputs: SeriesInputs, qc: pd.DataFrame, files: Sequence[tuple[str, int]] = ()) -> str:
    """Render the page of a series.

    Parameters
    ----------
    inputs : SeriesInputs
        The series, loaded.
    qc : DataFrame
        Its QC table, from `ct_assets.qc_report.evaluate.evaluate`.
    files : sequence of tuple of str and int
        Paths relative to the page, and sizes in bytes.

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
            panels=drawn,
            panel_widths=[panel.width_mm / sum(other.width_mm for other in drawn) for panel in drawn],
            colours={organ: css(organ_colour(organ)) for organ in organs},
            body_axis=_body_axis(inputs),
            unlocated=list(zip(unlocated["landmark"], unlocated["reason"], strict=True)),
            models=models,
            columns=columns,
            organ_rows={organ: _rows(qc[qc["subject"] == organ], columns) for organ in (*organs, LUNGS)},
            axis_rows=_axis_rows(qc, [*organs, LUNGS]),
            features={organ: _feature_rows(inputs.features, organ, columns) for organ in organs},
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


def _rows(qc: pd.DataFrame, columns: list[str]) -> list[Row]:
    """One row per metric, one cell per model."""
    rows = []
    for metric in [name for name in METRIC_TITLES if (qc["metric"] == name).any()]:
        of_metric = qc[qc["metric"] == metric]
        cells = [_cell(of_metric[of_metric["model"] == model]) for model in columns]
        judged = of_metric[of_metric["rule"] != ""]
        first = (judged if len(judged) else of_metric).iloc[0]
        rows.append(Row(METRIC_TITLES[metric], first["unit"], first["lower"], first["upper"], tuple(cells)))
    return rows


def _axis_rows(qc: pd.DataFrame, others: list[str]) -> list[tuple[str, Row]]:
    """Rows about lungs and regions, which one model measures."""
    rows = []
    for subject in dict.fromkeys(qc.loc[~qc["subject"].isin(others), "subject"]):
        of_subject = qc[qc["subject"] == subject]
        rows += [(str(subject), row) for row in _rows(of_subject, list(of_subject["model"].unique()))]
    return rows


def _cell(rows: pd.DataFrame) -> Cell | None:
    if rows.empty:
        return None
    row = rows.iloc[0]
    value = None if pd.isna(row["value"]) else float(row["value"])
    return Cell(value, str(row["outcome"]), str(row["explanation"]))


def _feature_rows(features: pd.DataFrame, organ: str, columns: list[str]) -> list[Row]:
    of_organ = features[features["organ"] == organ]
    rows = []
    for feature in dict.fromkeys(of_organ["feature"]):
        of_feature = of_organ[of_organ["feature"] == feature]
        cells = []
        for model in columns:
            found = of_feature[of_feature["model"] == model]
            value = None if found.empty or pd.isna(found["value"].iloc[0]) else float(found["value"].iloc[0])
            cells.append(None if found.empty else Cell(value, "", str(found["reason"].iloc[0] or "")))
        rows.append(Row(str(feature), str(of_feature["unit"].iloc[0]), None, None, tuple(cells)))
    return rows
