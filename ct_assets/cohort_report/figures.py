"""The paper's figures 4 to 9, drawn from the QC table of a collection."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pandas as pd
from plotly.colors import qualitative

from ct_assets.cohort_report.box import Group, box_figure
from ct_assets.collection import EXPERT, ORGANS, Collection
from ct_assets.dicom.codes import region_codes
from ct_assets.qc_report.distribution import distribution
from ct_assets.qc_report.wording import METRIC_TITLES

DARK2: tuple[str, ...] = tuple(qualitative.Dark2)
"""Colours of the groups, as in the paper."""


@dataclass(frozen=True)
class CohortFigure:
    """One figure: its number in the paper, titles, plotly content and summary, or why it is left out."""

    identifier: str
    number: int
    title: str
    caption: str
    plot: dict[str, Any] | None
    summary: pd.DataFrame


def paper_figures(qc: pd.DataFrame, collection: Collection) -> list[CohortFigure]:
    """Draw every figure that the table has data for.

    Parameters
    ----------
    qc : DataFrame
        QC table of a collection (`ct_assets.store.tables.QC`).
    collection : Collection
        Its collection, for models and limits.

    Returns
    -------
    list of CohortFigure
        In the paper's order; ``plot`` is none where no series has a value.
    """
    measured = qc[qc["value"].notna()]
    makers: list[Callable[[pd.DataFrame, Collection], Iterator[CohortFigure]]] = [
        _against_expert,
        _heart_sphericity,
        _organ_sphericity,
        _lung_ends,
        _lung_extent,
        _regions,
    ]
    return [figure for maker in makers for figure in maker(measured, collection)]


def summary(groups: list[Group]) -> pd.DataFrame:
    """Return number, median and quartiles of each group.

    Parameters
    ----------
    groups : list of Group
        Groups with at least one row each.

    Returns
    -------
    DataFrame
        Columns group, n, q1, median, q3, lower_fence, upper_fence, outliers.
    """
    rows = []
    for group in groups:
        values = group.rows["value"]
        box = distribution(values)
        outliers = int(((values < box.lower_fence) | (values > box.upper_fence)).sum())
        rows.append([group.name, len(values), box.q1, box.median, box.q3, box.lower_fence, box.upper_fence, outliers])
    return pd.DataFrame(rows, columns=["group", "n", "q1", "median", "q3", "lower_fence", "upper_fence", "outliers"])


def _against_expert(qc: pd.DataFrame, collection: Collection) -> Iterator[CohortFigure]:
    units = {"dice": "Dice", "hausdorff": "Hausdorff distance in mm", "hd95_volumetric": "HD95, volumetric, in mm"}
    for metric, y_title in units.items():
        groups = []
        for organ in ORGANS.values():
            for model, colour in _model_colours(collection).items():
                rows = _select(qc, metric, subject=organ, model=model)
                groups.append(Group(f"{organ}<br>{model}", rows, colour, _limits(rows)))
        yield _figure(
            4,
            metric,
            f"{METRIC_TITLES[metric]} of each model against the expert",
            "Dotted: limit." if metric != "hausdorff" else "",
            groups,
            y_title,
        )


def _heart_sphericity(qc: pd.DataFrame, collection: Collection) -> Iterator[CohortFigure]:
    groups = []
    for model, colour in _model_colours(collection).items():
        rows = _select(qc, "sphericity", subject="heart", model=model)
        groups.append(Group(model, rows, colour, _limits(rows)))
    manual = _select(qc, "sphericity", subject="heart", model=EXPERT)
    groups.append(Group("manual", manual, DARK2[len(groups) % len(DARK2)]))
    caption = "Dotted: range that passes. Manual: the expert's hearts, which no rule judges."
    yield _figure(5, "heart_sphericity", "Sphericity of the heart by model", caption, groups, "Sphericity")


def _organ_sphericity(qc: pd.DataFrame, collection: Collection) -> Iterator[CohortFigure]:
    model = main_model(collection)
    groups = []
    for organ, colour in zip(sorted(ORGANS.values()), DARK2, strict=False):
        rows = _select(qc, "sphericity", subject=organ, model=model)
        groups.append(Group(organ, rows, colour, _limits(rows)))
    yield _figure(
        6, "organ_sphericity", f"Sphericity by organ, {model}", "Dotted: range that passes.", groups, "Sphericity"
    )


def _lung_ends(qc: pd.DataFrame, _: Collection) -> Iterator[CohortFigure]:
    groups = []
    for (landmark, name), colour in zip(
        {"lung_start": "lung bottom", "lung_end": "lung top"}.items(), DARK2, strict=False
    ):
        rows = _select(qc, "expert_difference", subject=landmark)
        groups.append(Group(name, rows, colour, _limits(rows)))
    title = "Distance from the lung landmarks to the ends of the expert's lungs"
    yield _figure(7, "lung_ends", title, "", groups, "Absolute difference in mm")


def _lung_extent(qc: pd.DataFrame, _: Collection) -> Iterator[CohortFigure]:
    rows = _select(qc, "lung_extent", subject="lung")
    caption = "Series in which both ends of the lungs were located. Dotted: range that passes."
    groups = [Group("lung", rows, DARK2[0], _limits(rows))]
    yield _figure(8, "lung_extent", "Lung height", caption, groups, "lung_start to lung_end in mm")


def _regions(qc: pd.DataFrame, _: Collection) -> Iterator[CohortFigure]:
    groups = [
        Group(region, _select(qc, "region_ratio", subject=region), colour)
        for region, colour in zip(reversed(region_codes()), DARK2, strict=False)
    ]
    caption = "Slices of a region, divided by the slices with any region; regions overlap, so the sum exceeds 1."
    yield _figure(9, "regions", "Share of slices by body region", caption, groups, "Ratio")


def main_model(collection: Collection) -> str:
    """Return the model that figures of a single model show: 3d_fullres as in the paper, otherwise the first."""
    return "3d_fullres" if "3d_fullres" in collection.models else collection.models[0]


def _figure(number: int, identifier: str, title: str, caption: str, groups: list[Group], y_title: str) -> CohortFigure:
    filled = [group for group in groups if len(group.rows)]
    plot = box_figure(filled, y_title) if filled else None
    return CohortFigure(f"figure-{number}-{identifier}", number, title, caption, plot, summary(filled))


def _model_colours(collection: Collection) -> dict[str, str]:
    return dict(zip(collection.models, DARK2, strict=False))


def _limits(rows: pd.DataFrame) -> tuple[float | None, float | None]:
    """Return the limits that judged the rows, which are the same for all of them."""
    if rows.empty:
        return None, None
    lower, upper = rows[["lower", "upper"]].iloc[0]
    return (None if pd.isna(lower) else float(lower)), (None if pd.isna(upper) else float(upper))


def _select(qc: pd.DataFrame, metric: str, *, subject: str, model: str | None = None) -> pd.DataFrame:
    chosen = (qc["metric"] == metric) & (qc["subject"] == subject)
    if model is not None:
        chosen &= qc["model"] == model
    return qc[chosen]
