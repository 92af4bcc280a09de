"""The limits in force: the collection's own, else those of its cohort, else those of the published reference."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import pandas as pd

from ct_assets.organs import EXPERT, Configuration
from ct_assets.qc_report.cohort import SMALLEST_COHORT, by_key
from ct_assets.qc_report.reference import published
from ct_assets.qc_settings import PLAUSIBLE_VOLUME_ML, Bound, QualityControl, Span, Spans

T = TypeVar("T")

COLLECTION = "collection"
"""Source of a limit that the collection's YAML, or the default of its key, gives as a number."""


@dataclass(frozen=True)
class Limits:
    """The allowed range, both ends included, and where it is from; None: unlimited on that side.

    With neither end there is nothing to judge by yet, and ``source`` says why.
    """

    lower: float | None
    upper: float | None
    source: str

    @property
    def known(self) -> bool:
        """Whether there is anything to judge by."""
        return self.lower is not None or self.upper is not None


class LimitsInForce:
    """Limits of a collection.

    Parameters
    ----------
    settings : QualityControl
        Key ``qc`` of the collection.
    cohort : DataFrame
        `ct_assets.store.tables.DISTRIBUTIONS` of the collection; may be empty.
    """

    def __init__(self, settings: QualityControl, cohort: pd.DataFrame) -> None:
        self._settings = settings
        self._cohort = by_key(cohort)

    def of(self, metric: str, subject: str, model: str) -> Limits | None:
        """Return the limits of a metric; None where no rule judges it.

        Parameters
        ----------
        metric, subject, model : str
            As in the QC table. What an expert drew is not judged.
        """
        if model == EXPERT:
            return None
        qc = self._settings
        minima: dict[str, Mapping[Any, Bound]] = {"dice": qc.dice_minimum, "voxels": qc.voxels_minimum}
        maxima: dict[str, Mapping[Any, Bound]] = {
            "hd95_volumetric": qc.hd95_maximum_mm,
            "expert_difference": qc.lung_end_difference_mm,
        }
        ranges: dict[str, Mapping[Any, Spans]] = {"sphericity": qc.sphericity, "volume": qc.volume_ml}
        if metric in minima:
            minimum = _of_model(minima[metric].get(subject), model)
            return None if minimum is None else Limits(minimum, None, COLLECTION)
        if metric in maxima:
            maximum = _of_model(maxima[metric].get(subject), model)
            return None if maximum is None else Limits(None, maximum, COLLECTION)
        if metric in ranges:
            return self._span(_of_model(ranges[metric].get(subject), model), metric, subject, model)
        if metric == "lung_extent":
            return self._span(qc.lung_extent_mm, metric, subject, model)
        if metric == "slope_ratio" and qc.slope_ratio is not None:
            return Limits(*qc.slope_ratio, COLLECTION)
        return None

    def _span(self, span: Span, metric: str, subject: str, model: str) -> Limits | None:
        if span is None:
            return None
        if isinstance(span, tuple):
            return Limits(*span, COLLECTION)
        cohort = self._cohort.get((metric, subject, model))
        if cohort is not None and cohort.n < SMALLEST_COHORT:
            cohort = None
        large_enough = cohort is not None and cohort.n >= self._settings.cohort_minimum
        if cohort is not None and (span == "cohort" or (span == "auto" and large_enough)):
            return Limits(cohort.lower_fence, cohort.upper_fence, f"cohort, n = {cohort.n:,}")
        if span == "cohort":
            return Limits(None, None, "the cohort has no fences yet: too few series, or no cohort_report")
        entry = published(metric, subject, model)
        if entry is not None:
            of = entry.distribution
            return Limits(of.lower_fence, of.upper_fence, f"reference {entry.collection}, n = {of.n:,}")
        if metric == "volume" and span == "auto":
            return Limits(*{str(organ): limits for organ, limits in PLAUSIBLE_VOLUME_ML.items()}[subject], "plausible")
        return Limits(None, None, "nothing is published for it")


def _of_model(setting: T | dict[Configuration, T | None] | None, model: str) -> T | None:
    """Return what holds for a model where a setting is one value for all, or one for each."""
    if not isinstance(setting, dict):
        return setting
    by_model: Mapping[Any, Any] = setting
    return by_model.get(model)
