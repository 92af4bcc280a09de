"""The body axis of a series in one figure: coronal plane, landmarks, regions and slice scores on one scale in mm."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined

from ct_assets.bpr_json.axis_scale import AxisScale, spread
from ct_assets.bpr_json.landmark import UNKNOWN_TO_MODEL
from ct_assets.bpr_json.record import BodyPartRecord
from ct_assets.ct_nifti.record import CtRecord
from ct_assets.picture.image import LUNG, plane_data_url
from ct_assets.picture.planes import Orientation, Plane, plane_image
from ct_assets.picture.svg import svg_to_png

LABEL_GAP_MM = 8.5
"""Smallest distance between the names of two landmarks in the figure in mm, so that they do not overlap."""

SCORE_WIDTH_MM = 110.0
"""Width of the score curve in the figure in mm."""

PNG_BUDGET = 60_000
"""Largest PNG of the figure in bytes: Dagster's database keeps it with every materialization."""

_PNG_WIDTH = 900
_SOFT_TISSUE_HU = -500
_COARSE = 4  # voxels from one that is looked at to the next


@dataclass(frozen=True)
class LandmarkLine:
    """A landmark: its height in the image, that of its name beside it, and its look-up value on the score scale.

    All in mm, heights from the top; ``x`` is from the left end of the score scale.
    """

    name: str
    y: float
    label_y: float
    x: float | None
    detail: str


@dataclass(frozen=True)
class RegionBand:
    """A body region: top and height of each run of its slices in the image in mm, and its share of the slices."""

    name: str
    runs: tuple[tuple[float, float], ...]
    ratio: float

    @property
    def middle(self) -> float:
        """Height of its middle in mm from the top."""
        return (self.runs[0][0] + self.runs[-1][0] + self.runs[-1][1]) / 2


@dataclass(frozen=True)
class BodyAxis:
    """Everything of the figure, in mm from the upper left corner of the coronal image."""

    width_mm: float
    height_mm: float
    image: str
    outline: str
    landmarks: tuple[LandmarkLine, ...]
    regions: tuple[RegionBand, ...]
    score_paths: tuple[str, ...]
    score_ticks: tuple[tuple[float, int], ...]
    position_ticks: tuple[tuple[float, int], ...]
    remark: str | None
    notice: str | None

    def svg(self) -> str:
        """Draw the figure as a whole SVG document."""
        templates = Environment(
            loader=PackageLoader("ct_assets.bpr_json"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        return templates.get_template("body_axis.svg.j2").render(axis=self, score_width=SCORE_WIDTH_MM)

    def png(self) -> bytes:
        """Draw the figure as a small PNG, for the materialization's metadata."""
        return svg_to_png(self.svg(), _PNG_WIDTH, PNG_BUDGET)


def body_axis(
    record: CtRecord,
    ct: npt.NDArray[Any],
    body_part: BodyPartRecord,
    landmarks: pd.DataFrame,
    regions: pd.DataFrame,
    *,
    coronal: int | None = None,
    outline: str = "",
) -> BodyAxis | None:
    """Lay out the figure.

    Parameters
    ----------
    record : CtRecord
        ct.json.
    ct : ndarray of shape (columns, rows, slices)
        HU.
    body_part : BodyPartRecord
        bpr_record.json.
    landmarks, regions : DataFrame
        Tables LANDMARKS and REGIONS of the series.
    coronal : int, optional
        Coronal plane to show, counted from the front; default: through the middle of the body.
    outline : str
        SVG path to draw over that plane, in mm from its upper left corner: an expert's lungs.

    Returns
    -------
    BodyAxis or None
        None where the slices do not run along the body, for which landmarks have no height.
    """
    assert record.affine is not None, "a fit series has an affine"
    orientation = Orientation.of(np.asarray(record.affine), ct.shape)
    if int(orientation.transform[2, 0]) != 2:
        return None
    turned = orientation.turned(ct)
    size = orientation.size_mm(Plane.CORONAL)
    plane = _middle_of_body(turned) if coronal is None else coronal
    scale = AxisScale(record, orientation)
    scores = np.asarray(body_part.slice_scores, dtype=np.float64)
    limits = _score_limits(scores)
    return BodyAxis(
        *size,
        plane_data_url(plane_image(turned, Plane.CORONAL, (0, plane, 0)), LUNG, size),
        outline,
        _landmarks(landmarks, scale, size[1], limits),
        _regions(regions, body_part, scale),
        _score_paths(scores, scale, limits),
        _score_ticks(limits),
        scale.ticks(),
        body_part.reason or _common_reason(landmarks),
        body_part.provenance.notice,
    )


def _middle_of_body(turned: npt.NDArray[Any]) -> int:
    """Return the coronal plane through the centre of what is denser than lung and air."""
    tissue = turned[::_COARSE, ::_COARSE, ::_COARSE] > _SOFT_TISSUE_HU
    weights = tissue.sum(axis=(0, 2))
    if not weights.any():
        return int(turned.shape[1] // 2)
    return int(np.average(np.arange(len(weights)), weights=weights) * _COARSE)


def _landmarks(
    table: pd.DataFrame, scale: AxisScale, height: float, limits: tuple[int, int] | None
) -> tuple[LandmarkLine, ...]:
    located = table[table["located"].astype(bool)]
    entries = sorted(
        (scale.of_position(position), str(name), float(position), float(score))
        for name, position, score in zip(located["landmark"], located["position_mm"], located["score"], strict=True)
    )
    labels = spread([y for y, *_ in entries], LABEL_GAP_MM, height)
    return tuple(
        LandmarkLine(
            name,
            y,
            label_y,
            _score_x(score, limits) if limits and limits[0] <= score <= limits[1] else None,
            f"{name}: {position:.1f} mm, score {score:.1f}",
        )
        for (y, name, position, score), label_y in zip(entries, labels, strict=True)
    )


def _common_reason(table: pd.DataFrame) -> str | None:
    """Return why there is no landmark at all, if there is none and one reason for it."""
    reasons = set(table["reason"]) - {UNKNOWN_TO_MODEL}
    return None if table["located"].any() or len(reasons) != 1 else str(reasons.pop())


def _regions(table: pd.DataFrame, body_part: BodyPartRecord, scale: AxisScale) -> tuple[RegionBand, ...]:
    """Return the bands of all regions from the top down."""
    bands = []
    for name, ratio in zip(table["region"], table["ratio"], strict=True):
        runs = []
        for run in _runs(np.flatnonzero([name in names for names in body_part.slice_regions])):
            ends = sorted(float(scale.of_slice(index)) for index in run[[0, -1]])
            runs.append((ends[0] - scale.step / 2, ends[1] - ends[0] + scale.step))
        if runs:  # a killed run may leave a table that is newer than the record
            bands.append(RegionBand(str(name), tuple(sorted(runs)), float(ratio)))
    return tuple(sorted(bands, key=lambda band: band.middle))


def _runs(indices: npt.NDArray[np.int64]) -> list[npt.NDArray[np.int64]]:
    """Split ascending indices where one is left out."""
    return np.split(indices, np.flatnonzero(np.diff(indices) > 1) + 1) if len(indices) else []


def _score_limits(scores: npt.NDArray[np.float64]) -> tuple[int, int] | None:
    """Return the ends of the score scale, multiples of 20; None where there is no score."""
    valid = scores[np.isfinite(scores)]
    if not len(valid):
        return None
    low, high = int(np.floor(valid.min() / 20) * 20), int(np.ceil(valid.max() / 20) * 20)
    return low, max(high, low + 20)


def _score_ticks(limits: tuple[int, int] | None) -> tuple[tuple[float, int], ...]:
    """Return places and values of the ticks of the score scale."""
    if limits is None:
        return ()
    return tuple((_score_x(tick, limits), tick) for tick in range(limits[0], limits[1] + 1, 20))


def _score_x(score: float, limits: tuple[int, int]) -> float:
    return (score - limits[0]) / (limits[1] - limits[0]) * SCORE_WIDTH_MM


def _score_paths(scores: npt.NDArray[np.float64], scale: AxisScale, limits: tuple[int, int] | None) -> tuple[str, ...]:
    """Return the score curve, broken where slices have no score."""
    if limits is None:
        return ()
    y = scale.of_slice(np.arange(len(scores)))
    runs = _runs(np.flatnonzero(np.isfinite(scores)))
    return tuple("M" + "L".join(f"{_score_x(scores[k], limits):.1f} {y[k]:.1f}" for k in run) for run in runs)
