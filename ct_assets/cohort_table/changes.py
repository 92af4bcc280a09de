"""What a new cohort table changes: series that are selected now and were not before, and the other way round."""

from collections.abc import Mapping
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


def selected_before(path: Path) -> dict[str, int] | None:
    """Return the series that an earlier cohort table selected, with their instances; None where none can be read.

    Parameters
    ----------
    path : Path
        cohort.parquet, of any version.
    """
    try:
        table = pq.read_table(path, columns=["SeriesInstanceUID", "selected", "instances"]).to_pydict()
    except (OSError, ValueError):
        return None
    rows = zip(table["SeriesInstanceUID"], table["selected"], table["instances"], strict=True)
    return {uid: instances or 0 for uid, chosen, instances in rows if chosen}


def changes(before: Mapping[str, int] | None, cohort: pd.DataFrame) -> Changes:
    """Compare a cohort table with the series that the last one selected.

    Parameters
    ----------
    before : mapping or None
        What `selected_before` gives.
    cohort : DataFrame
        `COHORT` rows.
    """
    now = set(cohort.loc[cohort["selected"], "SeriesInstanceUID"])
    known = set(before or ())
    return Changes(tuple(sorted(now - known)), tuple(sorted(known - now)), first=before is None)
