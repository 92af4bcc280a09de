"""Which rules a collection has, and whether it is small enough for a picture of every series in the event log."""

from pathlib import Path

from ct_assets.collection import Collection
from ct_assets.qc_report.rule import Rule
from ct_assets.qc_settings import MOST_SERIES


def rules_of(collection: Collection) -> list[Rule]:
    """Return the rules that can judge something in a collection.

    Parameters
    ----------
    collection : Collection
        The collection: without experts there is nothing to compare with them, and some rules can be switched off.
    """
    expert, qc = collection.expert, collection.qc
    off = {
        Rule.DICE: expert is None,
        Rule.HAUSDORFF: expert is None,
        Rule.LUNG_ENDS: expert is None or not expert.lungs,
        Rule.LUNG_EXTENT: qc.lung_extent_mm is None,
        Rule.REGIONS: qc.largest_region is None,
        Rule.Z_SPACING: qc.slope_ratio is None,
    }
    return [rule for rule in Rule if not off.get(rule, False)]


def few_series(cohort: Path, shards: int) -> bool:
    """Return whether the event log may hold a picture of every series.

    Parameters
    ----------
    cohort : Path
        cohort.parquet.
    shards : int
        Partition sets of the collection.
    """
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    selected = pq.read_table(cohort, columns=["selected"])["selected"]
    return (pc.sum(selected).as_py() or 0) <= MOST_SERIES * shards
