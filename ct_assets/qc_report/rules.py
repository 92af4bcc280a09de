"""The rules: each says which values of one metric lie where they should, and where its limits are from.

Values, limits and results are arrays of one length; a limit that is NaN is none. Limits belong to the allowed range.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ct_assets.qc_report.rule import Rule

Values = npt.NDArray[np.float64]
Passed = npt.NDArray[np.bool_]


def dice(values: Values, lower: Values, upper: Values) -> Passed:
    """Dice coefficient of a model's organ and the expert's, at least the collection's minimum.

    Source: Krishnaswamy et al., Sci Data 2024, figure 4 and its data; the default minimum is the 5th percentile of the
    published results of the same configuration (122 hearts, 347 esophagi).
    """
    return _within(values, lower, upper)


def hausdorff(values: Values, lower: Values, upper: Values) -> Passed:
    """95 % Hausdorff distance by plastimatch's definition, at most the collection's maximum.

    Source: Krishnaswamy et al., Sci Data 2024, figure 4 and its data; the default maximum is the 95th percentile of the
    published results of the same configuration. The plain Hausdorff distance is not judged: single voxels decide it
    (published maxima 177 mm for a heart, 253 mm for an esophagus).
    """
    return _within(values, lower, upper)


def sphericity(values: Values, lower: Values, upper: Values) -> Passed:
    """Sphericity of an organ within the fences of the cohort or the reference.

    Source: Krishnaswamy et al., Sci Data 2024, figures 5 and 6: leaks and fragments lower the sphericity of an organ.
    Fences are Tukey's, 1.5 interquartile ranges beyond the quartiles.
    """
    return _within(values, lower, upper)


def volume(values: Values, lower: Values, upper: Values) -> Passed:
    """Volume of an organ within the fences of the cohort.

    Source: none is published; the features of the paper include the volume, its distribution is not known to us. A
    small cohort is judged by wide ranges (`ct_assets.qc_settings.PLAUSIBLE_VOLUME_ML`).
    """
    return _within(values, lower, upper)


def organ_missing(values: Values, lower: Values, upper: Values) -> Passed:
    """Voxels of an organ, at least one.

    Source: defect D9 of the published pipeline: where an organ was missing, the later organs took its name. Every chest
    CT shows part of all four organs, so an empty one asks for review.
    """
    return _within(values, lower, upper)


def lung_extent(values: Values, lower: Values, upper: Values) -> Passed:
    """Distance from lung_start to lung_end within the range of adult lungs.

    Source: Krishnaswamy et al., Sci Data 2024, figure 8: the 655 NLST series with both ends span 217.5 to 327.5 mm. A
    scan that does not hold both ends is not measurable, which is no failure of the model.
    """
    return _within(values, lower, upper)


def lung_ends(values: Values, lower: Values, upper: Values) -> Passed:
    """Distance from lung_start and lung_end to the ends of the expert's lungs, at most the collection's maximum.

    Source: Krishnaswamy et al., Sci Data 2024, figure 7 and its data; the default maxima are the published 95th
    percentiles, 33.6 mm below (317 series) and 15 mm above (402 series).
    """
    return _within(values, lower, upper)


def regions(values: Values, lower: Values, upper: Values) -> Passed:
    """Share of slices in the region that a collection is of, at least that of every other region.

    Source: Krishnaswamy et al., Sci Data 2024, figure 9: in every published series more slices show the chest than the
    abdomen or the neck (medians 0.85, 0.45 and 0.15).
    """
    return _within(values, lower, upper)


def z_spacing(values: Values, lower: Values, upper: Values) -> Passed:
    """Slope of the slice scores divided by the expected one, near 1.

    Source: Schuhegger, Body Part Regression for CT Images, 2021: a slope that is 28 % off means that the slice spacing
    in the header is wrong, or the curve is.
    """
    return _within(values, lower, upper)


def _within(values: Values, lower: Values, upper: Values) -> Passed:
    # Comparisons with NaN are false, so a limit that is none is never broken.
    return np.asarray(~((values < lower) | (values > upper)), dtype=bool)


@dataclass(frozen=True)
class RuleOf:
    """The rule that judges a metric."""

    rule: Rule
    passes: Callable[[Values, Values, Values], Passed]


RULES: dict[str, RuleOf] = {
    "dice": RuleOf(Rule.DICE, dice),
    "hd95_volumetric": RuleOf(Rule.HAUSDORFF, hausdorff),
    "sphericity": RuleOf(Rule.SPHERICITY, sphericity),
    "volume": RuleOf(Rule.VOLUME, volume),
    "voxels": RuleOf(Rule.ORGAN_MISSING, organ_missing),
    "lung_extent": RuleOf(Rule.LUNG_EXTENT, lung_extent),
    "expert_difference": RuleOf(Rule.LUNG_ENDS, lung_ends),
    "region_ratio": RuleOf(Rule.REGIONS, regions),
    "slope_ratio": RuleOf(Rule.Z_SPACING, z_spacing),
}
"""Metric of the QC table -> its rule. Metrics that are not here are shown and not judged."""
