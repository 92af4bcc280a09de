"""Landmarks: where the score curve crosses the look-up value of each landmark."""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from ct_assets.bpr_json.landmark import (
    AGAINST_GEOMETRY,
    BETWEEN_UNSCORED,
    NO_SCORES,
    NOT_IN_VOLUME,
    NOT_MONOTONE,
    Landmark,
)

SMOOTHING_MM = 10.0
"""Standard deviation of bpreg's smoothing of the curve; crossings closer than that are one."""


def locate_landmarks(
    scores: npt.NDArray[np.float64], heights_mm: npt.NDArray[np.float64], lookup: Mapping[str, float]
) -> list[Landmark]:
    """Locate landmarks on a score curve.

    The curve is taken over the slices with a valid score, from the feet up. A landmark lies where the monotone part of
    the curve crosses its look-up value, linearly interpolated between the two slices. Where the curve is not monotone
    it crosses a value several times: within the curve's own smoothing the middle of the rising crossings is taken,
    farther apart nothing is located. Direction is geometry alone: a curve that falls towards the head locates nothing.
    A value outside the curve, or crossed where slices have no score, is not located and never moved to another slice.

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
        return [Landmark(name, score, reason=NO_SCORES) for name, score in ordered]
    if ((heights - heights.mean()) * (curve - curve.mean())).sum() < 0:  # the sign of the fitted slope
        return [Landmark(name, score, reason=AGAINST_GEOMETRY) for name, score in ordered]
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
    if curve[-2] < score == curve[-1]:
        crossings = np.append(crossings, len(curve) - 2)
    if not len(crossings):
        return Landmark(name, score, reason=NOT_IN_VOLUME)
    if heights[crossings[-1]] - heights[crossings[0]] > SMOOTHING_MM:
        return Landmark(name, score, reason=NOT_MONOTONE)
    places = []
    for below in crossings[[0, -1]]:
        fraction = (score - curve[below]) / (curve[below + 1] - curve[below])
        if fraction not in {0, 1} and not neighbours[below]:
            return Landmark(name, score, reason=BETWEEN_UNSCORED)
        places.append(heights[below] + fraction * (heights[below + 1] - heights[below]))
    height = float(np.mean(places))
    return Landmark(name, score, height, int(order[np.argmin(np.abs(heights - height))]))
