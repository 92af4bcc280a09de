"""changed_series.json: series of which the source holds another number of files than when they were first selected."""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import Field

from ct_assets.store.record import Record


class ChangedSeries(Record):
    """Content of changed_series.json: SeriesInstanceUID -> instances that the source holds now.

    Who looks for unfinished series compares only these with what was converted, and not all of the collection.
    """

    schema_version: Literal[1] = 1
    instances: dict[str, int] = Field(default_factory=dict)

    def after(self, before: Mapping[str, int], now: Mapping[str, int]) -> "ChangedSeries":
        """Return the record for a new cohort table.

        Parameters
        ----------
        before : mapping of str to int
            Instances of the selected series in the last cohort table.
        now : mapping of str to int
            Instances of the selected series in the new one; who is not among them is forgotten.
        """
        changed = {uid for uid, count in now.items() if before.get(uid, count) != count} | set(self.instances)
        return ChangedSeries(instances={uid: now[uid] for uid in sorted(changed) if uid in now})


def read_changed_series(path: Path) -> ChangedSeries:
    """Read changed_series.json; empty where there is none, because nothing has changed since.

    Parameters
    ----------
    path : Path
        The file.

    Raises
    ------
    RecordError
        If it is damaged or of another version.
    """
    return ChangedSeries.read(path, "cohort_table") if path.is_file() else ChangedSeries()
