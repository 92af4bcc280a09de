"""How the values of a metric are distributed: quartiles by numpy's definition, and Tukey's fences."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Distribution:
    """Size, extremes and quantiles of a sample.

    What a published table does not give is None.
    """

    n: int
    q1: float
    median: float
    q3: float
    p05: float | None = None
    p95: float | None = None
    minimum: float | None = None
    maximum: float | None = None

    @property
    def lower_fence(self) -> float:
        """First quartile less 1.5 interquartile ranges (Tukey, Exploratory Data Analysis, 1977)."""
        return self.q1 - 1.5 * (self.q3 - self.q1)

    @property
    def upper_fence(self) -> float:
        """Third quartile and 1.5 interquartile ranges (Tukey, Exploratory Data Analysis, 1977)."""
        return self.q3 + 1.5 * (self.q3 - self.q1)


def distribution(values: npt.ArrayLike) -> Distribution:
    """Summarize a sample.

    Parameters
    ----------
    values : array_like
        Finite values, at least one.

    Returns
    -------
    Distribution
        Quantiles by linear interpolation (numpy's default).

    Raises
    ------
    ValueError
        If there are no values.
    """
    sample = np.asarray(values, dtype=np.float64)
    if not sample.size:
        message = "no values to summarize"
        raise ValueError(message)
    quantiles = np.percentile(sample, [0, 5, 25, 50, 75, 95, 100])
    minimum, p05, q1, median, q3, p95, maximum = (float(value) for value in quantiles)
    return Distribution(sample.size, q1, median, q3, p05, p95, minimum, maximum)
