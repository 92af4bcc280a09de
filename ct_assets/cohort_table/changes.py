"""What a new cohort table changes: series that are selected now and were not before, and the other way round."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq


@dataclass(frozen=True)
class Changes:
    """Series added and removed since the last materialization, sorted; `first` where there was none."""

    added: tuple[str, ...]
    removed: tuple[str, ...]
    first: bool = False


def selected_before(path: Path) -> set[str] | None:
    """Return the series that an earlier cohort table selected; None where there is none that can be read.

    Parameters
    ----------
    path : Path
        cohort.parquet, of any version.
    """
    try:
        table = pq.read_table(path, columns=["SeriesInstanceUID", "selected"]).to_pydict()
    except (OSError, ValueError):
        return None
    return {uid for uid, chosen in zip(table["SeriesInstanceUID"], table["selected"], strict=True) if chosen}


def changes(before: set[str] | None, cohort: pd.DataFrame) -> Changes:
    """Compare a cohort table with the series that the last one selected.

    Parameters
    ----------
    before : set of str or None
        What `selected_before` gives.
    cohort : DataFrame
        `COHORT` rows.
    """
    now = set(cohort.loc[cohort["selected"], "SeriesInstanceUID"])
    known = before or set()
    return Changes(tuple(sorted(now - known)), tuple(sorted(known - now)), first=before is None)
