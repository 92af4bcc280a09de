"""A landmark, located or with the reason why not."""

from dataclasses import dataclass

NOT_IN_VOLUME = "beyond the scored slices"
"""Reason of a landmark whose look-up value the valid scores do not reach."""

BETWEEN_UNSCORED = "between slices without a valid score"
"""Reason of a landmark whose look-up value is crossed where slices have no score."""

NOT_MONOTONE = "the score curve crosses it at several heights"
"""Reason of a landmark whose look-up value is crossed more than once, farther apart than the curve is smoothed."""

AGAINST_GEOMETRY = "slice scores run against the geometry of the scan"
"""Reason of all landmarks when the scores fall towards the head."""

NO_SCORES = "no valid slice scores"
"""Reason of all landmarks when fewer than two slices have a valid score."""

NOT_AXIAL = "slices do not run along the body, so scores belong to no instance"
"""Reason of all landmarks of a series whose slices are not axial."""

UNKNOWN_TO_MODEL = "the model does not know this landmark"
"""Reason of a landmark that the model's look-up table lacks."""

PUBLISHED_END = "on the first or last slice, which the published rule leaves out"
"""Reason, by the published rule, of a landmark that falls on an end of the scan."""

PUBLISHED_LOST = "beyond the last slice, where the published rule puts it"
"""Reason of a landmark that the published rule gives an index one beyond the last slice."""


@dataclass(frozen=True)
class Landmark:
    """A landmark: height along the slice axis in mm and the slice it is referenced to, or why there is none.

    ``score`` is the look-up value that was searched for, NaN where the model has none.
    """

    name: str
    score: float
    height_mm: float | None = None
    slice_index: int | None = None
    reason: str | None = None
