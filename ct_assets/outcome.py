"""What became of a collection and of each of its series."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import pandas as pd

from ct_assets.store.paths import CollectionFolder, SeriesFolder


@dataclass(frozen=True)
class SeriesOutcome:
    """What became of one series; `checks`: outcome of each check; `reused`: it was finished before."""

    series_instance_uid: str
    status: Literal["annotated", "unfit", "failed"]
    reason: str | None
    seconds: float
    folder: SeriesFolder | None = None
    checks: dict[str, str] = field(default_factory=dict)
    reused: bool = False


@dataclass(frozen=True)
class CohortOutcome:
    """What became of a collection."""

    folder: CollectionFolder
    series: tuple[SeriesOutcome, ...]
    unreadable: pd.DataFrame
    report: Path | None
    report_problem: str | None

    @property
    def complete(self) -> bool:
        """Whether every fit series was annotated and every file could be read."""
        failed = any(outcome.status == "failed" for outcome in self.series)
        return not failed and self.report_problem is None and self.unreadable.empty
