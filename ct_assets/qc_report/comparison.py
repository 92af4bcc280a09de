"""What the values of one series are compared with on its page: its cohort's distribution, or the published one."""

from dataclasses import dataclass

import pandas as pd

from ct_assets.organs import EXPERT
from ct_assets.qc_report.cohort import SMALLEST_COHORT, by_key
from ct_assets.qc_report.distribution import Distribution
from ct_assets.qc_report.reference import published

_METRIC_OF_FEATURE = {"Sphericity": "sphericity"}


@dataclass(frozen=True)
class Comparison:
    """A distribution and whose it is, such as "cohort, 3d_fullres, n = 414"."""

    of: str
    distribution: Distribution


class Comparisons:
    """What there is to compare with.

    Parameters
    ----------
    cohort : DataFrame
        `ct_assets.store.tables.DISTRIBUTIONS`; may be empty.
    cohort_minimum : int
        Fewest series from which the cohort is preferred to the published values.
    """

    def __init__(self, cohort: pd.DataFrame, cohort_minimum: int) -> None:
        self._minimum = cohort_minimum
        self._cohort = by_key(cohort)

    def of(self, metric: str, subject: str, models: list[str]) -> Comparison | None:
        """Return what to compare with: of the first model that has anything.

        Parameters
        ----------
        metric : str
            Metric of the QC table, or name of a shape feature.
        subject : str
            As in the QC table.
        models : list of str
            Models whose values are shown; the expert's are compared with the models', not the other way round.
        """
        metric = _METRIC_OF_FEATURE.get(metric, metric)
        candidates = [model for model in models if model != EXPERT] or models
        for fewest in (self._minimum, SMALLEST_COHORT):
            for model in candidates:
                own = self._cohort.get((metric, subject, model))
                if own is not None and own.n >= fewest:
                    return Comparison(f"cohort, {model}, n = {own.n:,}", own)
            for model in candidates:
                entry = published(metric, subject, model)
                if entry is not None:
                    name = f" {entry.model}," if entry.model else ""
                    return Comparison(f"{entry.collection},{name} n = {entry.n:,}", entry.distribution)
        return None
