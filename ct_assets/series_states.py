"""What the files of a series say of it: annotated, unfit, or unfinished."""

import json
import os
from collections.abc import Iterable, Iterator, Set
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from pathlib import Path

from ct_assets.store.changed_series import read_changed_series
from ct_assets.store.paths import CollectionFolder, SeriesFolder


class SeriesState(StrEnum):
    """How far a series has come."""

    ANNOTATED = "annotated"
    UNFIT = "unfit"
    UNFINISHED = "unfinished"


@dataclass(frozen=True)
class Converted:
    """What ct.json says: whether the series is fit, its slices if it lists them, and which selection found it unfit."""

    fit: bool
    slices: int | None
    unfit_by_selection: str | None
    reasons: tuple[str, ...] = ()


def series_states(
    registered: Iterable[str], store: CollectionFolder, materialized: Set[str], selection: str
) -> Iterator[tuple[str, SeriesState]]:
    """Yield the state of each series, looking at as few files as will do.

    A series that Dagster calls materialized is annotated if its folder is there and its source has not changed since;
    of any other, its files decide.

    Parameters
    ----------
    registered : iterable of str
        Series: partition keys.
    store : CollectionFolder
        The collection's folder.
    materialized : set of str
        Series whose qc_report Dagster knows.
    selection : str
        Digest of the collection's selection (`ct_assets.collection.selection_digest`).

    Raises
    ------
    RecordError
        If changed_series.json is damaged.
    """
    there = _names(store.path / "series")
    changed = read_changed_series(store.cohort.changed_series).instances
    for uid in registered:
        if uid not in there:
            yield uid, SeriesState.UNFINISHED
        elif uid in materialized and uid not in changed:
            yield uid, SeriesState.ANNOTATED
        else:
            yield uid, state_of(store.series(uid), selection, changed.get(uid))


def state_of(folder: SeriesFolder, selection: str, instances: int | None = None) -> SeriesState:
    """Return the state of a series.

    A series that was annotated when half of it had been copied is unfinished. So is one that another selection than
    today's found unfit.

    Parameters
    ----------
    folder : SeriesFolder
        Its files.
    selection : str
        Digest of the collection's selection (`ct_assets.collection.selection_digest`).
    instances : int, optional
        DICOM files of the series in the source, where that has changed.
    """
    converted = read_converted(folder.ct_record)
    if converted and instances not in {None, converted.slices or instances}:
        return SeriesState.UNFINISHED
    if converted and not converted.fit:
        decided = converted.unfit_by_selection in {None, selection}
        return SeriesState.UNFIT if decided else SeriesState.UNFINISHED
    return SeriesState.ANNOTATED if folder.qc_page.is_file() else SeriesState.UNFINISHED


def read_converted(record: Path) -> Converted | None:
    """Return what ct.json says; None where there is none or it is damaged. Each version of a file is read once.

    Parameters
    ----------
    record : Path
        ct.json.
    """
    try:
        return _read(record, record.stat().st_mtime_ns)
    except FileNotFoundError:
        return None


@lru_cache(maxsize=200_000)
def _read(record: Path, _changed: int) -> Converted | None:
    try:
        content = json.loads(record.read_text(encoding="utf-8"))
        return Converted(
            fit=bool(content["fit"]),
            slices=len(content.get("slices", ())) or None,
            unfit_by_selection=content.get("unfit_by_selection"),
            reasons=tuple(content.get("reasons", ())),
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        return None  # damaged: one series, which the run names, must not stop the others


def _names(folder: Path) -> set[str]:
    try:
        return set(os.listdir(folder))  # noqa: PTH208 - names; a path for each of 100,000 takes a second
    except FileNotFoundError:
        return set()
