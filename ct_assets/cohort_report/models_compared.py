"""Models compared on the same series against the expert: how the paper chose 3d_fullres."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt
import pandas as pd

from ct_assets.organs import ORGANS

FEWEST_PAIRS = 6
"""Pairs from which p-values and correlations are given: with 5, Wilcoxon's two-sided test cannot reach 0.05."""

Values = npt.NDArray[np.float64]


@dataclass(frozen=True)
class ModelResult:
    """How well a model agrees with the expert on an organ; ``best`` counts series in which no other model does as well.

    ``best`` is of the series that every model has a Dice of.
    """

    model: str
    n: int
    median_dice: float
    median_hd95_mm: float | None
    best: int


@dataclass(frozen=True)
class PairResult:
    """Two models on the series that both have a Dice of; differences are the first less the second.

    p-values are two-sided and not corrected for the number of comparisons; None where there are too few pairs, or
    where the test is not defined.
    """

    first: str
    second: str
    n: int
    median_difference: float
    first_better: int
    second_better: int
    wilcoxon_p: float | None
    paired_t_p: float | None
    pearson: float | None


@dataclass(frozen=True)
class Anova:
    """Repeated-measures analysis of variance over the series that every model has a Dice of."""

    n: int
    degrees: tuple[int, int]
    f: float
    p: float


@dataclass(frozen=True)
class OrganComparison:
    """The models on one organ."""

    organ: str
    complete: int
    models: tuple[ModelResult, ...]
    pairs: tuple[PairResult, ...]
    anova: Anova | None


def compare_models(qc: pd.DataFrame, models: Sequence[str]) -> list[OrganComparison]:
    """Compare models by their Dice against the expert.

    Parameters
    ----------
    qc : DataFrame
        QC table (`ct_assets.store.tables.QC`).
    models : sequence of str
        Models in the order to be shown.

    Returns
    -------
    list of OrganComparison
        Organs of which at least two models have a Dice.
    """
    rows = qc[qc["metric"].isin(["dice", "hd95_volumetric"]) & qc["model"].isin(models) & qc["value"].notna()]
    found = []
    for organ in ORGANS.values():
        of_organ = rows[rows["subject"] == organ]
        dice, hd95 = (_wide(of_organ[of_organ["metric"] == metric]) for metric in ("dice", "hd95_volumetric"))
        present = [model for model in models if model in dice]
        if len(present) > 1:
            found.append(_of_organ(organ, dice[present], hd95))
    return found


def pair(first: str, second: str, dice: pd.DataFrame) -> PairResult:
    """Compare two models on the series that both have.

    Parameters
    ----------
    first, second : str
        Columns of `dice`.
    dice : DataFrame
        One row per series, one column per model; NaN where a series has no value.
    """
    both = dice[[first, second]].dropna()
    a, b = both[first].to_numpy(dtype=float), both[second].to_numpy(dtype=float)
    difference = a - b
    enough = len(difference) >= FEWEST_PAIRS
    return PairResult(
        first=first,
        second=second,
        n=len(difference),
        median_difference=float(np.median(difference)) if len(difference) else math.nan,
        first_better=int((difference > 0).sum()),
        second_better=int((difference < 0).sum()),
        wilcoxon_p=_wilcoxon(difference) if enough else None,
        paired_t_p=_paired_t(difference) if enough else None,
        pearson=_pearson(a, b) if enough else None,
    )


def anova(dice: pd.DataFrame) -> Anova | None:
    """Ask whether the models differ at all, by a one-way repeated-measures analysis of variance.

    Parameters
    ----------
    dice : DataFrame
        One row per series, one column per model.

    Returns
    -------
    Anova or None
        Without correction for sphericity; None for fewer than three models (two are a paired t-test), for fewer than
        `FEWEST_PAIRS` complete series, and where nothing varies.
    """
    from scipy import stats

    values = dice.dropna().to_numpy(dtype=float)
    series, models = values.shape
    if models < 3 or series < FEWEST_PAIRS:
        return None
    mean = values.mean()
    of_models = series * float(((values.mean(axis=0) - mean) ** 2).sum())
    of_series = models * float(((values.mean(axis=1) - mean) ** 2).sum())
    rest = float(((values - mean) ** 2).sum()) - of_models - of_series
    degrees = models - 1, (models - 1) * (series - 1)
    if rest <= 1e-12 * max(of_models + of_series, 1e-300):
        return None
    f = of_models / degrees[0] / (rest / degrees[1])
    return Anova(series, degrees, f, float(stats.f.sf(f, *degrees)))


def _of_organ(organ: str, dice: pd.DataFrame, hd95: pd.DataFrame) -> OrganComparison:
    models = list(dice.columns)
    complete = dice.dropna()
    values = complete.to_numpy(dtype=float)
    is_best = values == values.max(axis=1, keepdims=True)
    alone = is_best & (is_best.sum(axis=1, keepdims=True) == 1)
    results = tuple(
        ModelResult(
            model=model,
            n=int(dice[model].notna().sum()),
            median_dice=float(dice[model].median()),
            median_hd95_mm=float(hd95[model].median()) if model in hd95 else None,
            best=int(alone[:, place].sum()),
        )
        for place, model in enumerate(models)
    )
    pairs = tuple(pair(first, second, dice) for first, second in combinations(models, 2))
    return OrganComparison(organ, len(complete), results, pairs, anova(dice))


def _wide(rows: pd.DataFrame) -> pd.DataFrame:
    """Return one row per series and one column per model."""
    return rows.pivot_table(index="SeriesInstanceUID", columns="model", values="value", aggfunc="first")


def _wilcoxon(difference: Values) -> float | None:
    from scipy import stats

    return float(stats.wilcoxon(difference).pvalue) if difference.any() else None


def _paired_t(difference: Values) -> float | None:
    from scipy import stats

    return float(stats.ttest_1samp(difference, 0.0).pvalue) if _varies(difference) else None


def _pearson(a: Values, b: Values) -> float | None:
    return float(np.corrcoef(a, b)[0, 1]) if _varies(a) and _varies(b) else None


def _varies(values: Values) -> bool:
    return bool(np.ptp(values) > 1e-12 * max(float(np.abs(values).max()), 1e-300))
