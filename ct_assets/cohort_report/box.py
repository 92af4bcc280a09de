"""Box plots with every point beside the box, as in the paper, with quartiles by numpy's definition."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import plotly.graph_objects as go

from ct_assets.qc_report.distribution import Distribution, distribution

INK = "#1c2329"
"""Colour of boxes and text."""

_POINTS_WIDTH = 0.36
_GOLDEN_RATIO = 0.6180339887498949


@dataclass(frozen=True)
class BoxStatistics:
    """Quartiles and fences of a sample, and the furthest values within the fences."""

    of: Distribution
    lower_whisker: float
    upper_whisker: float


@dataclass(frozen=True)
class Group:
    """One category of a figure: its rows of the QC table, the colour of its points, and limits of its rule."""

    name: str
    rows: pd.DataFrame
    colour: str
    limits: tuple[float | None, float | None] = (None, None)


def box_statistics(values: npt.ArrayLike) -> BoxStatistics:
    """Summarize a sample as a box plot does (Tukey, Exploratory Data Analysis, 1977).

    Parameters
    ----------
    values : array_like
        Finite values, at least one.

    Returns
    -------
    BoxStatistics
        Whiskers end at data, inside the fences.

    Raises
    ------
    ValueError
        If there are no values.
    """
    sample = np.asarray(values, dtype=np.float64)
    found = distribution(sample)
    within = sample[(sample >= found.lower_fence) & (sample <= found.upper_fence)]
    return BoxStatistics(found, float(within.min()), float(within.max()))


def box_figure(groups: Sequence[Group], y_title: str) -> dict[str, Any]:
    """Draw groups side by side: points at the left of each place, the box at the right.

    Parameters
    ----------
    groups : sequence of Group
        Groups with at least one row each, all rows with a value.
    y_title : str
        Title of the value axis, with its unit.

    Returns
    -------
    dict
        A plotly figure. ``customdata`` of a point: PatientID, SeriesInstanceUID, address of the series page.
    """
    figure = go.Figure()
    extremes: list[float] = []
    for place, group in enumerate(groups):
        values = group.rows["value"].to_numpy(dtype=float)
        figure.add_trace(_points(place, group, values))
        figure.add_trace(_box(place, group.name, box_statistics(values)))
        limits = [limit for limit in group.limits if limit is not None]
        extremes += [float(values.min()), float(values.max()), *limits]
        for limit in limits:
            figure.add_shape(
                    type="line", x0=place - 0.45, x1=place + 0.45, y0=limit, y1=limit,
                    line={"color": "#9c1c10", "width": 1.2, "dash": "dot"},
                )  # fmt: skip
    figure.update_layout(
        template="none",
        font={"family": "system-ui, sans-serif", "size": 13, "color": INK},
        margin={"l": 64, "r": 16, "t": 36, "b": 64},
        showlegend=False,
        hovermode="closest",
        hoverlabel={
            "bgcolor": "#ffffff",
            "bordercolor": "#8d99a3",
            "font": {"size": 11, "color": INK},
            "align": "left",
        },
        xaxis={
            "tickvals": list(range(len(groups))),
            "ticktext": [f"{group.name}<br>n = {len(group.rows):,}" for group in groups],
            "range": [-0.6, len(groups) - 0.4],
            "zeroline": False,
            "showgrid": False,
            "fixedrange": True,
        },
        yaxis={"title": {"text": y_title}, "range": _padded(extremes), "zeroline": False, "gridcolor": "#e6eaed"},
    )
    content: dict[str, Any] = figure.to_plotly_json()
    return content


def series_address(series_instance_uid: str) -> str:
    """Return the address of a series page, seen from the cohort page."""
    return f"../series/{series_instance_uid}/qc.html"


def _padded(extremes: Sequence[float]) -> list[float]:
    low, high = min(extremes, default=0.0), max(extremes, default=1.0)
    margin = 0.06 * (high - low) or 0.05 * abs(high) or 1.0
    return [low - margin, high + margin]


def _points(place: int, group: Group, values: npt.NDArray[np.float64]) -> go.Scatter:
    # Multiples of the golden ratio spread any number of points evenly, the same in every run.
    jitter = (np.arange(len(values)) * _GOLDEN_RATIO) % 1.0 * _POINTS_WIDTH
    rows = group.rows
    return go.Scatter(
        x=np.round(place - 0.42 + jitter, 4).tolist(),
        y=values.tolist(),
        mode="markers",
        name=group.name,
        marker={"color": group.colour, "size": 5, "opacity": 0.65},
        customdata=[
            [patient, series, series_address(series)]
            for patient, series in zip(rows["PatientID"], rows["SeriesInstanceUID"], strict=True)
        ],
        hovertemplate="<b>%{customdata[0]}</b>: %{y:.4~g}<br>%{customdata[1]}<extra></extra>",
    )


def _box(place: int, name: str, statistics: BoxStatistics) -> go.Box:
    return go.Box(
        x=[place + 0.2],
        q1=[statistics.of.q1],
        median=[statistics.of.median],
        q3=[statistics.of.q3],
        lowerfence=[statistics.lower_whisker],
        upperfence=[statistics.upper_whisker],
        width=0.3,
        name=name,
        line={"color": INK, "width": 1.3},
        fillcolor="rgba(28, 35, 41, 0.08)",
        hoverinfo="y",
    )
