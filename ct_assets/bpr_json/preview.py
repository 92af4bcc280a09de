"""The body axis of a series as a small PNG, for the materialization's metadata."""

from typing import Any

import numpy.typing as npt

from ct_assets.bpr_json.body_axis import body_axis
from ct_assets.bpr_json.record import read_body_part_record
from ct_assets.ct_nifti.record import read_ct_record
from ct_assets.picture.svg import svg_to_png
from ct_assets.store.paths import SeriesFolder
from ct_assets.store.tables import LANDMARKS, REGIONS

PREVIEW_BUDGET = 60_000
"""Largest preview in bytes: Dagster's database keeps it with every materialization."""

_WIDTH = 900


def preview(folder: SeriesFolder, volume: npt.NDArray[Any]) -> bytes | None:
    """Draw landmarks, regions and scores of a series.

    Parameters
    ----------
    folder : SeriesFolder
        Series for which `ct_assets.bpr_json.score.score` has written its files.
    volume : ndarray of shape (columns, rows, slices)
        Its CT in HU.

    Returns
    -------
    bytes or None
        PNG; None where the slices do not run along the body.
    """
    axis = body_axis(
        read_ct_record(folder.ct_record),
        volume,
        read_body_part_record(folder.bpr_record),
        LANDMARKS.read(folder.landmarks),
        REGIONS.read(folder.regions),
    )
    return None if axis is None else svg_to_png(axis.svg(), _WIDTH, PREVIEW_BUDGET)
