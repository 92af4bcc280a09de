"""The body axis of a series in one figure: coronal plane, landmarks, regions and slice scores on one scale in mm."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ct_assets.qc_report.image import LUNG
from ct_assets.qc_report.inputs import LUNGS, SeriesInputs
from ct_assets.qc_report.outline import svg_path
from ct_assets.qc_report.planes import Orientation, Plane, plane_image
from ct_assets.qc_report.preview import focus, plane_png

LABEL_GAP_MM = 8.5
"""Smallest distance between the names of two landmarks in the figure in mm, so that they do not overlap."""


@dataclass(frozen=True)
class LandmarkLine:
    """A landmark: its height in the image, and that of its name beside it, in mm from the top."""

    name: str
    y: float
    label_y: float
    detail: str


@dataclass(frozen=True)
class RegionBand:
    """A body region: its band in the image in mm from the top, and its share of the slices."""

    name: str
    top: float
    height: float
    ratio: float


@dataclass(frozen=True)
class BodyAxis:
    """Everything of the figure, in mm from the upper left corner of the coronal image."""

    width_mm: float
    height_mm: float
    image: str
    expert_lungs: str
    landmarks: tuple[LandmarkLine, ...]
    regions: tuple[RegionBand, ...]
    score_paths: tuple[str, ...]
    score_ticks: tuple[tuple[float, int], ...]
    position_ticks: tuple[tuple[float, int], ...]


SCORE_WIDTH_MM = 90.0
"""Width of the score curve in the figure in mm."""


def body_axis(inputs: SeriesInputs) -> BodyAxis | None:
    """Lay out the figure.

    Parameters
    ----------
    inputs : SeriesInputs
        The series, loaded.

    Returns
    -------
    BodyAxis or None
        None where the slices do not run along the body, for which landmarks have no height.
    """
    orientation = Orientation.of(inputs.affine, inputs.ct.shape)
    if int(orientation.transform[2, 0]) != 2:
        return None
    width, height = orientation.size_mm(Plane.CORONAL)
    centre = focus(inputs, orientation)
    coronal = plane_image(orientation.turned(inputs.ct), Plane.CORONAL, centre)
    axis = _Axis(inputs, orientation)
    scores, ticks = _scores(inputs.scores, axis)
    return BodyAxis(
        width,
        height,
        plane_png(coronal, LUNG, (width, height)),
        _expert_lungs(inputs, orientation, centre),
        _landmarks(inputs, axis, height),
        _regions(inputs, axis),
        scores,
        ticks,
        _position_ticks(axis),
    )


def _expert_lungs(inputs: SeriesInputs, orientation: Orientation, centre: tuple[int, int, int]) -> str:
    lungs = (inputs.expert or {}).get(LUNGS)
    if lungs is None:
        return ""
    return svg_path(plane_image(orientation.turned(lungs), Plane.CORONAL, centre), orientation.pixel_mm(Plane.CORONAL))


class _Axis:
    """Turns slices and positions into mm from the top of the coronal image."""

    def __init__(self, inputs: SeriesInputs, orientation: Orientation) -> None:
        self.slices = orientation.shape[2]
        self.step = orientation.spacing_mm[2]
        self.upward = orientation.transform[2, 1] > 0
        positions = inputs.record.positions_mm
        order = np.argsort(positions)
        self.positions, self.indices = positions[order], order.astype(float)

    def of_slice(self, index: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Height of the centre of slices, given by (fractional) index in ct.nii.gz."""
        from_feet = np.asarray(index, dtype=float) if self.upward else self.slices - 1 - np.asarray(index, dtype=float)
        return np.asarray((self.slices - 0.5 - from_feet) * self.step)

    def of_position(self, position_mm: float) -> float:
        """Height of a position along the slice normal."""
        return float(self.of_slice(np.interp(position_mm, self.positions, self.indices)))


def _landmarks(inputs: SeriesInputs, axis: _Axis, height: float) -> tuple[LandmarkLine, ...]:
    located = inputs.landmarks[inputs.landmarks["located"].astype(bool)]
    entries = sorted(
        (axis.of_position(position), str(name), float(position))
        for name, position in zip(located["landmark"], located["position_mm"], strict=True)
    )
    labels = spread([y for y, _, _ in entries], LABEL_GAP_MM, height)
    return tuple(
        LandmarkLine(name, y, label_y, f"{name}: {position:.1f} mm")
        for (y, name, position), label_y in zip(entries, labels, strict=True)
    )


def spread(wanted: list[float], gap: float, limit: float) -> list[float]:
    """Move sorted heights apart until they keep a distance, each as near to where it was as that allows.

    Parameters
    ----------
    wanted : list of float
        Heights in ascending order.
    gap : float
        Smallest distance; smaller where they would not fit otherwise.
    limit : float
        Heights stay between 0 and this.

    Returns
    -------
    list of float
        New heights in the same order.
    """
    if not wanted:
        return []
    gap = min(gap, limit / len(wanted))
    clusters: list[tuple[float, list[float]]] = []
    for height in wanted:
        members = [height]
        clusters.append((_start(members, gap, limit), members))
        while len(clusters) > 1 and clusters[-2][0] + gap * len(clusters[-2][1]) > clusters[-1][0]:
            members = [*clusters[-2][1], *clusters[-1][1]]
            clusters[-2:] = [(_start(members, gap, limit), members)]
    return [start + gap * (rank + 0.5) for start, members in clusters for rank in range(len(members))]


def _start(members: list[float], gap: float, limit: float) -> float:
    length = gap * len(members)
    return float(np.clip(sum(members) / len(members) - length / 2, 0, limit - length))


def _regions(inputs: SeriesInputs, axis: _Axis) -> tuple[RegionBand, ...]:
    bands = []
    for name, first, last, ratio in inputs.regions[["region", "first_slice", "last_slice", "ratio"]].to_numpy():
        ends = sorted(float(axis.of_slice(index)) for index in (first, last))
        bands.append(RegionBand(str(name), ends[0] - axis.step / 2, ends[1] - ends[0] + axis.step, float(ratio)))
    return tuple(sorted(bands, key=lambda band: band.top + band.height / 2))


def _scores(scores: npt.NDArray[np.float64], axis: _Axis) -> tuple[tuple[str, ...], tuple[tuple[float, int], ...]]:
    """Score curve, broken where slices have no score, and the ticks of its scale (0 is the pelvis, 100 the eyes)."""
    valid = np.isfinite(scores)
    if not valid.any():
        return (), ()
    low, high = (
        int(bound) for bound in (np.floor(scores[valid].min() / 20) * 20, np.ceil(scores[valid].max() / 20) * 20)
    )
    high = max(high, low + 20)
    x = (scores - low) / (high - low) * SCORE_WIDTH_MM
    y = axis.of_slice(np.arange(len(scores)))
    runs = np.split(np.flatnonzero(valid), np.flatnonzero(np.diff(np.flatnonzero(valid)) > 1) + 1)
    paths = tuple("M" + "L".join(f"{x[k]:.1f} {y[k]:.1f}" for k in run) for run in runs)
    return paths, tuple(((tick - low) / (high - low) * SCORE_WIDTH_MM, tick) for tick in range(low, high + 1, 20))


def _position_ticks(axis: _Axis) -> tuple[tuple[float, int], ...]:
    first, last = axis.positions[0], axis.positions[-1]
    ticks = range(int(np.ceil(first / 50) * 50), int(last) + 1, 50)
    return tuple((axis.of_position(tick), tick) for tick in ticks)
