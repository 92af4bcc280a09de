"""The feature explorer of the cohort page: every shape feature of every organ and model, to choose from."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ct_assets.cohort_report.box import POINTS_DRAWN, Group, Limit, box_content, drawn, numbers
from ct_assets.cohort_report.figures import MANUAL, Measured, model_colours, organ_colours
from ct_assets.cohort_report.series_index import Places, SeriesIndex
from ct_assets.collection import Collection
from ct_assets.dicom.codes import feature_codes
from ct_assets.organs import EXPERT
from ct_assets.qc_report.wording import unit_text

_DIGITS = 5


@dataclass(frozen=True)
class Explorer:
    """What can be chosen, and the values of each choice.

    ``features`` are names with title and unit, ``organs`` names with colour, ``models`` names with title and colour.
    ``series`` is the list of series that the values of the cells are aligned with, where there are few enough to draw
    them all; otherwise each cell has its own.
    """

    features: tuple[tuple[str, str, str], ...]
    organs: tuple[tuple[str, str], ...]
    models: tuple[tuple[str, str, str], ...]
    series: Places
    cells: dict[tuple[str, str, str], Group]

    @property
    def sampled(self) -> bool:
        """Whether some values are not drawn."""
        return len(self.series) > POINTS_DRAWN

    def drawn(self) -> list[Places]:
        """Return the places of the series that are drawn."""
        return [drawn(cell).series for cell in self.cells.values()] if self.sampled else [self.series]

    def content(self, places: Places) -> dict[str, Any]:
        """Return the explorer for the page.

        Parameters
        ----------
        places : ndarray
            The place in the page's list of each series of the index.
        """
        cells: dict[str, dict[str, dict[str, Any]]] = {}
        for (feature, organ, model), group in self.cells.items():
            cells.setdefault(feature, {}).setdefault(organ, {})[model] = self._cell(group, places)
        return {
            "features": [{"name": name, "title": title, "unit": unit} for name, title, unit in self.features],
            "organs": [{"name": name, "title": name, "colour": colour} for name, colour in self.organs],
            "models": [{"name": name, "title": title, "colour": colour} for name, title, colour in self.models],
            "series": [] if self.sampled else places[self.series].tolist(),
            "cells": cells,
        }

    def _cell(self, group: Group, places: Places) -> dict[str, Any]:
        content = box_content(group)
        del content["name"], content["colour"]
        if self.sampled:
            shown = drawn(group)
            return {**content, "series": places[shown.series].tolist(), "values": numbers(shown.values, _DIGITS)}
        aligned = np.full(len(self.series), np.nan)
        np.put(aligned, np.searchsorted(self.series, group.series), group.values)
        return {**content, "values": numbers(aligned, _DIGITS)}


def feature_explorer(
    features: pd.DataFrame, qc: pd.DataFrame, collection: Collection, index: SeriesIndex
) -> Explorer | None:
    """Gather the values of the shape features.

    Parameters
    ----------
    features : DataFrame
        `ct_assets.store.tables.SHAPE_FEATURES` of the collection.
    qc : DataFrame
        Its QC table, for the limits of the sphericity.
    collection : Collection
        The collection.
    index : SeriesIndex
        Series of the page.

    Returns
    -------
    Explorer or None
        None where there is no value.
    """
    rows = features[features["value"].notna()]
    places = index.places(rows["SeriesInstanceUID"])
    rows = rows[["feature", "organ", "model", "value"]].assign(place=places)
    rows = rows[rows["place"] >= 0].drop_duplicates(["feature", "organ", "model", "place"]).sort_values("place")
    colours = model_colours(collection)
    measured = Measured(qc, index)
    cells: dict[tuple[str, str, str], Group] = {}
    for (feature, organ, model), part in rows.groupby(["feature", "organ", "model"], sort=False):
        if feature in feature_codes() and organ in organ_colours() and model in colours:
            limits: Limit = (None, None)
            if feature == "Sphericity":
                limits = measured.group("", "", "sphericity", str(organ), str(model)).limits
            values = part["value"].to_numpy(dtype=float)
            cells[str(feature), str(organ), str(model)] = Group("", part["place"].to_numpy(), values, "", limits)
    if not cells:
        return None
    present = [{key[part] for key in cells} for part in range(3)]
    return Explorer(
        features=tuple(
            (name, code.quantity.meaning, unit_text(code.unit.value))
            for name, code in feature_codes().items()
            if name in present[0]
        ),
        organs=tuple((organ, colour) for organ, colour in organ_colours().items() if organ in present[1]),
        models=tuple(
            (model, MANUAL if model == EXPERT else model, colour)
            for model, colour in colours.items()
            if model in present[2]
        ),
        series=np.unique(rows["place"].to_numpy(dtype=np.int64)),
        cells=cells,
    )
