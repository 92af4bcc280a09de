"""Which rules a collection has, and whether it is small enough for checks of every series."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from ct_assets.collection import Collection
from ct_assets.partitions import shard_of
from ct_assets.qc_report.finding import Rule
from ct_assets.settings import settings
from ct_assets.store.paths import CollectionFolder

_AGAINST_EXPERT = {Rule.DICE, Rule.HAUSDORFF, Rule.LUNG_ENDS}


def rules_of(collection: Collection) -> list[Rule]:
    """Return the rules that can judge something in a collection.

    Parameters
    ----------
    collection : Collection
        The collection; without experts there is nothing to compare with them.
    """
    return [rule for rule in Rule if collection.expert is not None or rule not in _AGAINST_EXPERT]


def has_series_checks(collection: Collection, shard: int = 0) -> bool:
    """Return whether each series gets a check per rule, and a preview in the event log.

    Dagster's view of a partitioned check reads its partitions one by one: about 6 s for 1,000 of them, minutes for
    100,000. Above `qc.series_checks_up_to` there are only the checks of cohort_report, which name the worst series.

    Parameters
    ----------
    collection : Collection
        The collection.
    shard : int
        Which of its partition sets.
    """
    return _selected(collection, shard) <= collection.qc.series_checks_up_to


def _selected(collection: Collection, shard: int) -> int:
    """Count the selected series of a shard as of now; 0 before there is a cohort table, or where it is damaged."""
    path = CollectionFolder(Path(settings().home) / collection.name).cohort.cohort
    if not path.is_file():
        return 0
    try:
        uids = pq.read_table(path, columns=["SeriesInstanceUID"], filters=[("selected", "=", True)]).column(0)
    except (OSError, pa.ArrowException):
        return 0
    if collection.shards == 1:
        return len(uids)
    return sum(shard_of(collection, uid) == shard for uid in uids.to_pylist())
