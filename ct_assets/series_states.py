"""What the files of a series say of it: annotated, unfit, or unfinished."""

import json
import os
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from pathlib import Path

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


def series_with_files(store: CollectionFolder) -> set[str]:
    """Return the series that have a folder, by one listing.

    Parameters
    ----------
    store : CollectionFolder
        The collection.
    """
    try:
        return set(os.listdir(store.path / "series"))  # noqa: PTH208 - names, not a path for each of 100,000
    except FileNotFoundError:
        return set()


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
