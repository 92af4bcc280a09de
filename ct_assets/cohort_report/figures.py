"""The paper's figures 4 to 9, from the QC table of a collection."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import get_args

import numpy as np
import numpy.typing as npt
import pandas as pd
from plotly.colors import qualitative

from ct_assets.cohort_report.box import Group, Limit, outliers
from ct_assets.cohort_report.series_index import SeriesIndex
from ct_assets.collection import Collection
from ct_assets.dicom.codes import region_codes
from ct_assets.organs import EXPERT, ORGANS, Configuration
from ct_assets.qc_report.distribution import distribution
from ct_assets.qc_report.wording import METRIC_TITLES

DARK2: tuple[str, ...] = tuple(qualitative.Dark2)
"""Colours of the groups, as in the paper."""

MANUAL = "manual"
"""How figures name what an expert drew, as in the paper."""


@dataclass(frozen=True)
class CohortFigure:
    """One figure: its number in the paper, titles, groups with a value, and their summary."""

    identifier: str
    number: int
    title: str
    caption: str
    y_title: str
    unit: str
    groups: tuple[Group, ...]
    summary: pd.DataFrame


class Measured:
    """The values of a QC table by metric, subject and model.

    Parameters
    ----------
    qc : DataFrame
        `ct_assets.store.tables.QC`.
    index : SeriesIndex
        Series of the page.
    """

    def __init__(self, qc: pd.DataFrame, index: SeriesIndex) -> None:
        rows = qc[qc["value"].notna()]
        places = index.places(rows["SeriesInstanceUID"])
        rows = rows[["metric", "subject", "model", "value", "lower", "upper"]].assign(series=places)
        self._parts = {
            (str(metric), str(subject), str(model)): part
            for (metric, subject, model), part in rows.groupby(["metric", "subject", "model"], sort=True)
        }

    def group(self, name: str, colour: str, metric: str, subject: str, model: str | None = None) -> Group:
        """Return the values of a metric as a group; of all models together without a model."""
        parts = [
            part
            for (of_metric, of_subject, of_model), part in self._parts.items()
            if (of_metric, of_subject) == (metric, subject) and model in {of_model, None}
        ]
        rows = pd.concat(parts) if parts else pd.DataFrame(columns=["series", "value", "lower", "upper"], dtype=float)
        rows = rows.sort_values("series", kind="stable")
        values = rows["value"].to_numpy(dtype=float)
        return Group(name, rows["series"].to_numpy(dtype="int64"), values, colour, _limits(rows))


def paper_figures(qc: pd.DataFrame, collection: Collection, index: SeriesIndex) -> list[CohortFigure]:
    """Return every figure, with the groups that the table has data for.

    Parameters
    ----------
    qc : DataFrame
        QC table of a collection (`ct_assets.store.tables.QC`).
    collection : Collection
        Its collection, for the models.
    index : SeriesIndex
        Series of the page, with those of the table.

    Returns
    -------
    list of CohortFigure
        In the paper's order; without groups where no series has a value.
    """
    measured = Measured(qc, index)
    makers: list[Callable[[Measured, Collection], Iterator[CohortFigure]]] = [
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
        Groups with at least one value each.

    Returns
    -------
    DataFrame
        Columns group, n, q1, median, q3, lower_fence, upper_fence, outliers.
    """
    rows = []
    for group in groups:
        box = distribution(group.values)
        beyond = int(outliers(group.values, box).sum())
        rows.append([group.name, len(group), box.q1, box.median, box.q3, box.lower_fence, box.upper_fence, beyond])
    return pd.DataFrame(rows, columns=["group", "n", "q1", "median", "q3", "lower_fence", "upper_fence", "outliers"])


def model_colours(collection: Collection) -> dict[str, str]:
    """Return the models of a collection in the paper's order; last the expert's. A model has one colour everywhere.

    Parameters
    ----------
    collection : Collection
        The collection.
    """
    colours = dict(zip([*get_args(Configuration), EXPERT], DARK2, strict=False))
    return {model: colour for model, colour in colours.items() if model in {*collection.models, EXPERT}}


def organ_colours() -> dict[str, str]:
    """Return the organs in the order of figure 6, each with its colour."""
    return dict(zip(sorted(ORGANS.values()), DARK2, strict=False))


def main_model(collection: Collection) -> str:
    """Return the model that figures of a single model show: 3d_fullres as in the paper, otherwise the first."""
    return "3d_fullres" if "3d_fullres" in collection.models else collection.models[0]


def _against_expert(measured: Measured, collection: Collection) -> Iterator[CohortFigure]:
    titles = {
        "dice": ("Dice", ""),
        "hausdorff": ("Hausdorff distance in mm", "mm"),
        "hd95_volumetric": ("HD95, volumetric, in mm", "mm"),
    }
    for metric, (y_title, unit) in titles.items():
        groups = [
            measured.group(f"{organ}\n{model}", colour, metric, organ, model)
            for organ in ORGANS.values()
            for model, colour in model_colours(collection).items()
            if model != EXPERT
        ]
        title = f"{METRIC_TITLES[metric]} of each model against the expert"
        yield _figure(4, metric, title, "", groups, y_title, unit)


def _heart_sphericity(measured: Measured, collection: Collection) -> Iterator[CohortFigure]:
    groups = [
        measured.group(MANUAL if model == EXPERT else model, colour, "sphericity", "heart", model)
        for model, colour in model_colours(collection).items()
    ]
    caption = "Manual: the expert's hearts, which no rule judges." if len(groups[-1]) else ""
    yield _figure(5, "heart_sphericity", "Sphericity of the heart by model", caption, groups, "Sphericity")


def _organ_sphericity(measured: Measured, collection: Collection) -> Iterator[CohortFigure]:
    model = main_model(collection)
    groups = [measured.group(organ, colour, "sphericity", organ, model) for organ, colour in organ_colours().items()]
    yield _figure(6, "organ_sphericity", f"Sphericity by organ, {model}", "", groups, "Sphericity")


def _lung_ends(measured: Measured, _: Collection) -> Iterator[CohortFigure]:
    names = {"lung_start": "lung bottom", "lung_end": "lung top"}
    groups = [
        measured.group(name, colour, "expert_difference", landmark)
        for (landmark, name), colour in zip(names.items(), DARK2, strict=False)
    ]
    title = "Distance from the lung landmarks to the ends of the expert's lungs"
    yield _figure(7, "lung_ends", title, "", groups, "Absolute difference in mm", "mm")


def _lung_extent(measured: Measured, _: Collection) -> Iterator[CohortFigure]:
    groups = [measured.group("lung", DARK2[0], "lung_extent", "lung")]
    caption = "Series in which both ends of the lungs were located."
    yield _figure(8, "lung_extent", "Lung height", caption, groups, "lung_start to lung_end in mm", "mm")


def _regions(measured: Measured, _: Collection) -> Iterator[CohortFigure]:
    groups = [
        measured.group(region, colour, "region_ratio", region)
        for region, colour in zip(reversed(region_codes()), DARK2, strict=False)
    ]
    caption = "Slices of a region, divided by the slices with any region; regions overlap, so the sum exceeds 1."
    yield _figure(9, "regions", "Share of slices by body region", caption, groups, "Share of slices")


def _figure(
    number: int, identifier: str, title: str, caption: str, groups: list[Group], y_title: str, unit: str = ""
) -> CohortFigure:
    filled = [group for group in groups if len(group)]
    if any(limit is not None for group in filled for limit in group.limits):
        caption = f"{caption} Dotted: limits; points beyond them are red.".strip()
    return CohortFigure(
        f"figure-{number}-{identifier}", number, title, caption, y_title, unit, tuple(filled), summary(filled)
    )


def _limits(rows: pd.DataFrame) -> Limit:
    """Return the limits that judged the rows, where they are the same for all of them."""
    lower, upper = (np.unique(rows[name].to_numpy(dtype=float)) for name in ("lower", "upper"))
    return _only(lower), _only(upper)


def _only(bounds: npt.NDArray[np.float64]) -> float | None:
    return None if len(bounds) != 1 or pd.isna(bounds[0]) else float(bounds[0])
