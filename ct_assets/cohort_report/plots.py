"""What the scripts of the cohort page draw: series listed once, and figures whose points name them by place."""

import json
from collections.abc import Sequence
from typing import Any

from markupsafe import Markup

from ct_assets.cohort_report.box import Group, box_content, drawn, numbers
from ct_assets.cohort_report.explorer import Explorer
from ct_assets.cohort_report.figures import CohortFigure
from ct_assets.cohort_report.series_index import Places, SeriesIndex


def plots(
    figures: Sequence[CohortFigure],
    explorer: Explorer | None,
    index: SeriesIndex,
    *,
    viewer: str | None,
    series_pages: bool,
) -> dict[str, Any]:
    """Return the content of the page's figures.

    Parameters
    ----------
    figures : sequence of CohortFigure
        The paper's figures.
    explorer : Explorer or None
        The feature explorer.
    index : SeriesIndex
        Series of the page.
    viewer : str or None
        Address of a viewer with ``{study}`` and ``{series}``.
    series_pages : bool
        Whether there are pages of the series beside this one.

    Returns
    -------
    dict
        For JSON: ``links``, ``series``, ``figures`` by identifier, ``explorer``.
    """
    shown = {figure.identifier: [drawn(group) for group in figure.groups] for figure in figures if figure.groups}
    used = [group.series for groups in shown.values() for group in groups]
    series, places = index.listed([*used, *(explorer.drawn() if explorer else [])])
    return {
        "links": {"viewer": viewer, "page": "../series/{series}/qc.html" if series_pages else None},
        "series": series,
        "figures": {
            figure.identifier: {
                "title": figure.y_title,
                "unit": figure.unit,
                "groups": [
                    _group(group, points, places)
                    for group, points in zip(figure.groups, shown[figure.identifier], strict=True)
                ],
            }
            for figure in figures
            if figure.groups
        },
        "explorer": explorer.content(places) if explorer else None,
    }


def script_json(content: Any) -> Markup:
    """Return JSON that may stand in a script element: nothing in it can end the element."""
    text = json.dumps(content, separators=(",", ":"), allow_nan=False)
    return Markup(text.replace("<", "\\u003c").replace("\u2028", "\\u2028"))  # noqa: S704


def _group(group: Group, points: Group, places: Places) -> dict[str, Any]:
    return {**box_content(group), "series": places[points.series].tolist(), "values": numbers(points.values)}
