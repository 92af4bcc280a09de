"""Groups of values as box plots with every point beside the box, with quartiles by numpy's definition."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ct_assets.qc_report.distribution import Distribution, distribution

POINTS_DRAWN = 3000
"""Values of a group up to which every one is drawn as a point."""

_FEWEST_OF_THE_REST = 500
_DIGITS = 6

Limit = tuple[float | None, float | None]


@dataclass(frozen=True)
class BoxStatistics:
    """Quartiles and fences of a sample, and the furthest values within the fences."""

    of: Distribution
    lower_whisker: float
    upper_whisker: float


@dataclass(frozen=True)
class Group:
    """One category of a figure: a value of each series, the colour of its points, and the limits of its rule.

    ``series`` holds places in the `ct_assets.cohort_report.series_index.SeriesIndex` of the page, one for each of the
    ``values``. Lines of the name are separated by line feeds.
    """

    name: str
    series: npt.NDArray[np.int64]
    values: npt.NDArray[np.float64]
    colour: str
    limits: Limit = (None, None)

    def __len__(self) -> int:
        """Return the number of values."""
        return len(self.values)


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


def outliers(values: npt.NDArray[np.float64], of: Distribution) -> npt.NDArray[np.bool_]:
    """Tell which values lie beyond Tukey's fences of a distribution.

    Parameters
    ----------
    values : ndarray
        Values.
    of : Distribution
        Distribution with the fences.
    """
    return np.asarray((values < of.lower_fence) | (values > of.upper_fence), dtype=bool)


def drawn(group: Group) -> Group:
    """Return a group with the points that a figure draws of it.

    Parameters
    ----------
    group : Group
        At least one value.

    Returns
    -------
    Group
        All up to `POINTS_DRAWN`; of more, every outlier and an evenly spaced sample of the rest.
    """
    if len(group) <= POINTS_DRAWN:
        return group
    outside = outliers(group.values, distribution(group.values))
    rest = np.flatnonzero(~outside)
    number = min(max(POINTS_DRAWN - int(outside.sum()), _FEWEST_OF_THE_REST), len(rest))
    sample = rest[np.linspace(0, len(rest) - 1, number).round().astype(np.int64)]
    kept = np.sort(np.concatenate([np.flatnonzero(outside), sample]))
    return Group(group.name, group.series[kept], group.values[kept], group.colour, group.limits)


def box_content(group: Group) -> dict[str, Any]:
    """Return what a page needs to draw a group but its points: the browser computes nothing.

    Parameters
    ----------
    group : Group
        All its values, at least one.

    Returns
    -------
    dict
        ``name``, ``colour``, ``n``, ``box`` (whisker, quartile, median, quartile, whisker) and ``limits``.
    """
    box = box_statistics(group.values)
    return {
        "name": group.name,
        "colour": group.colour,
        "n": len(group),
        "box": numbers([box.lower_whisker, box.of.q1, box.of.median, box.of.q3, box.upper_whisker]),
        "limits": numbers(math.nan if limit is None else limit for limit in group.limits),
    }


def numbers(values: Iterable[float], digits: int = _DIGITS) -> list[float | None]:
    """Return values as short JSON numbers.

    Parameters
    ----------
    values : iterable of float
        Values; NaN becomes None.
    digits : int, default 6
        Significant digits to keep.
    """
    return [None if math.isnan(value) else _short(value, digits) for value in values]


def _short(value: float, digits: int) -> float:
    rounded = float(f"{value:.{digits}g}")
    return int(rounded) if rounded.is_integer() else rounded
