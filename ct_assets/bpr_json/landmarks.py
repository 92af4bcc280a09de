"""Landmarks: where the score curve crosses the look-up value of each landmark."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

NOT_IN_VOLUME = "beyond the scored slices"
"""Reason of a landmark whose look-up value the valid scores do not reach."""

BETWEEN_UNSCORED = "between slices without a valid score"
"""Reason of a landmark whose look-up value is crossed where slices have no score."""

AGAINST_GEOMETRY = "slice scores run against the geometry of the scan"
"""Reason of all landmarks when the scores fall towards the head."""

NO_SCORES = "no valid slice scores"
"""Reason of all landmarks when fewer than two slices have a valid score."""


@dataclass(frozen=True)
class Landmark:
    """A landmark: interpolated height in mm and nearest slice, or why there is none."""

    name: str
    score: float
    height_mm: float | None
    slice_index: int | None
    reason: str | None


def locate_landmarks(
    scores: npt.NDArray[np.float64], heights_mm: npt.NDArray[np.float64], lookup: Mapping[str, float]
) -> list[Landmark]:
    """Locate landmarks on a score curve.

    The curve is taken over the slices with a valid score, from the feet up. A landmark lies where the curve crosses its
    look-up value upwards, linearly interpolated between the two slices; of several crossings on a curve that is not
    monotone, the middle one. Direction is geometry alone: a curve that falls towards the head locates nothing. A value
    outside the curve, or crossed where slices have no score, is not located and never moved to another slice.

    Parameters
    ----------
    scores : ndarray of shape (slices,)
        Cleaned slice scores, NaN where invalid.
    heights_mm : ndarray of shape (slices,)
        Height of each slice in the patient, larger towards the head, in any order.
    lookup : mapping
        Look-up value of each landmark.

    Returns
    -------
    list of Landmark
        One per landmark, by increasing look-up value.
    """
    ordered = sorted(lookup.items(), key=lambda item: (item[1], item[0]))
    rising = np.argsort(heights_mm)
    scored = np.flatnonzero(np.isfinite(scores[rising]))
    order = rising[scored]
    curve, heights = scores[order], heights_mm[order]
    if len(curve) < 2:
        return [Landmark(name, score, None, None, NO_SCORES) for name, score in ordered]
    if np.polyfit(heights, curve, 1)[0] <= 0:
        return [Landmark(name, score, None, None, AGAINST_GEOMETRY) for name, score in ordered]
    neighbours = np.diff(scored) == 1
    return [_locate(name, score, curve, heights, order, neighbours) for name, score in ordered]


def _locate(
    name: str,
    score: float,
    curve: npt.NDArray[np.float64],
    heights: npt.NDArray[np.float64],
    order: npt.NDArray[np.int64],
    neighbours: npt.NDArray[np.bool_],
) -> Landmark:
    crossings = np.flatnonzero((curve[:-1] <= score) & (score < curve[1:]))
    if score == curve[-1]:
        crossings = np.append(crossings, len(curve) - 2)
    if not len(crossings):
        return Landmark(name, score, None, None, NOT_IN_VOLUME)
    below = int(crossings[len(crossings) // 2])
    if not neighbours[below]:
        return Landmark(name, score, None, None, BETWEEN_UNSCORED)
    fraction = (score - curve[below]) / (curve[below + 1] - curve[below])
    height = float(heights[below] + fraction * (heights[below + 1] - heights[below]))
    nearest = int(order[below if fraction <= 0.5 else below + 1])
    return Landmark(name, score, height, nearest, None)
