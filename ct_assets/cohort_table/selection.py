"""Selection: judged series to the cohort table and the selection flow, with every reason in words."""

import logging
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from ct_assets.cohort_table.criteria.criterion import Criterion, Settings
from ct_assets.cohort_table.criteria.judge import JUDGED, VERDICT
from ct_assets.store.tables import CHARACTERISTICS, COHORT, SELECTION_FLOW

logger = logging.getLogger(__name__)

INDEX_SAYS = "says the index of the Imaging Data Commons"
"""Words for an outcome that the source brought along."""

Flags = npt.NDArray[np.bool_]


def cohort(
    judged: pd.DataFrame,
    criteria: tuple[Criterion, ...],
    settings: Settings,
    *,
    collection: str,
    experts: Mapping[str, list[str]] | None = None,
) -> pd.DataFrame:
    """Return the cohort table: every CT series, selected or not, with every criterion it failed.

    Parameters
    ----------
    judged : DataFrame
        What `ct_assets.cohort_table.criteria.judge.judge` gives, executed.
    criteria : tuple of Criterion
        The criteria that it was judged by.
    settings : StrictSelection or PublishedSelection
        Their thresholds, for the words.
    collection : str
        Collection name.
    experts : mapping of str to list of str, optional
        SeriesInstanceUID -> files of expert segmentations.

    Returns
    -------
    DataFrame
        Columns of `COHORT`, sorted by SeriesInstanceUID.
    """
    judged = judged.sort_values("SeriesInstanceUID", ignore_index=True)
    failed = {c.name: _failed(judged, c) for c in criteria}
    unknown = {c.name: _unknown(judged, c) for c in criteria}
    selected = judged["selected"].to_numpy(dtype=bool)
    files = [(experts or {}).get(str(uid), []) for uid in judged["SeriesInstanceUID"]]
    table = judged.assign(
        collection=collection,
        Modality="CT",
        slice_spacing_mm=judged["gap_mean"].astype(float),
        slice_thickness_mm=judged["thickness_smallest"].astype(float),
        selected=selected,
        failed_criteria=pd.Series(_names(failed, len(judged)), dtype=object),
        not_evaluated=pd.Series(_names(unknown, len(judged)), dtype=object),
        reason=pd.Series(_reasons(judged, criteria, settings, failed, unknown), dtype=object),
        expert_files=pd.Series(files, dtype=object),
    )
    return table[list(COHORT.columns)]


def selection_flow(judged: pd.DataFrame, criteria: tuple[Criterion, ...]) -> pd.DataFrame:
    """Return how many series are left after each criterion (paper, figure S1).

    Parameters
    ----------
    judged : DataFrame
        Judged series.
    criteria : tuple of Criterion
        The criteria in order.

    Returns
    -------
    DataFrame
        Columns of `SELECTION_FLOW`; the first row counts all CT series.
    """
    left = np.ones(len(judged), dtype=bool)
    decided = judged["decided"].to_numpy(dtype=bool)
    rows: list[tuple[int, str, str, int, int, int]] = [(0, "ct", "is CT", len(judged), 0, 0)]
    for step, criterion in enumerate(criteria, start=1):
        failed, unknown = _failed(judged, criterion), _unknown(judged, criterion)
        left &= ~failed & ~(unknown & (decided | (not criterion.on_headers)))
        counts = (int(left.sum()), int(failed.sum()), int(unknown.sum()))
        rows.append((step, criterion.name, criterion.description, *counts))
    return pd.DataFrame(rows, columns=list(SELECTION_FLOW.columns))


def characteristics(cohort_table: pd.DataFrame) -> pd.DataFrame:
    """Return what the collection holds before and after the selection (paper, table 1).

    Parameters
    ----------
    cohort_table : DataFrame
        `COHORT` rows.

    Returns
    -------
    DataFrame
        Columns of `CHARACTERISTICS`; sizes in bytes.
    """
    after = cohort_table[cohort_table["selected"]]
    counted: list[tuple[str, Any]] = [
        ("patients", lambda rows: rows["PatientID"].nunique()),
        ("studies", lambda rows: rows["StudyInstanceUID"].nunique()),
        ("series", len),
        ("instances", lambda rows: int(rows["instances"].sum())),
        ("bytes", lambda rows: int(rows["series_size"].fillna(0).sum())),
    ]
    rows = [(name, int(count(cohort_table)), int(count(after))) for name, count in counted]
    return pd.DataFrame(rows, columns=list(CHARACTERISTICS.columns))


def _failed(judged: pd.DataFrame, criterion: Criterion) -> Flags:
    outcome = judged[JUDGED + criterion.name].astype("boolean")
    return np.asarray(~outcome.fillna(value=True), dtype=bool)


def _unknown(judged: pd.DataFrame, criterion: Criterion) -> Flags:
    return judged[JUDGED + criterion.name].isna().to_numpy(dtype=bool)


def _names(flags: Mapping[str, Flags], count: int) -> list[list[str]]:
    """Return per series the names whose flag is set, in order."""
    found: list[list[str]] = [[] for _ in range(count)]
    for name, flag in flags.items():
        for index in np.flatnonzero(flag):
            found[index].append(name)
    return found


def _reasons(
    judged: pd.DataFrame,
    criteria: tuple[Criterion, ...],
    settings: Settings,
    failed: Mapping[str, Flags],
    unknown: Mapping[str, Flags],
) -> list[str | None]:
    """Say why a series is not selected; what could not be evaluated is named only where nothing else is."""
    found: list[list[str]] = [[] for _ in range(len(judged))]
    for criterion in criteria:
        indices = np.flatnonzero(failed[criterion.name])
        if not len(indices):
            continue
        for index, row in zip(indices, judged.iloc[indices].itertuples(index=False), strict=True):
            found[index].append(_reason(row, criterion, settings))
    selected = judged["selected"].to_numpy(dtype=bool)
    absent = _names(unknown, len(judged))
    return [
        None if selected[index] else "; ".join(reasons) or f"not evaluated: {', '.join(absent[index])}"
        for index, reasons in enumerate(found)
    ]


def _reason(row: Any, criterion: Criterion, settings: Settings) -> str:
    """Say why a series fails; where that breaks on it, in general words, and the other series go on."""
    if getattr(row, VERDICT + criterion.name, None) is False:  # its measures are not known
        return f"{criterion.name}: fails ({INDEX_SAYS})"
    try:
        return criterion.explain(row, settings)
    except Exception:
        logger.exception("no words for %s of series %s", criterion.name, row.SeriesInstanceUID)
        return f"{criterion.name}: fails"
