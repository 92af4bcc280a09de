"""What Dagster's database knows already: materialized partitions, and checks that were evaluated."""

from collections.abc import Sequence

import dagster as dg
from dagster._core.definitions.asset_checks.asset_check_evaluation import (
    AssetCheckEvaluationTargetMaterializationData,
)
from dagster._core.instance.utils import RUNLESS_RUN_ID
from dagster._time import get_current_timestamp

_MADE = dg.DagsterEventType.ASSET_MATERIALIZATION


class Known:
    """Questions to Dagster's event log."""

    def __init__(self, instance: dg.DagsterInstance) -> None:
        self._storage = instance.event_log_storage
        self._instance = instance

    def materialized(self, key: dg.AssetKey, uids: Sequence[str]) -> dict[str | None, int]:
        """Return the latest materialization of each series that has one: SeriesInstanceUID -> event."""
        found = self._storage.get_latest_storage_id_by_partition(key, _MADE, set(uids))
        return dict(zip(found.keys(), found.values(), strict=True))

    def pointers(self, key: dg.AssetKey, uids: Sequence[str]) -> dict[str | None, int]:
        """Return the materialization of an input for each series, be it per series or of the whole collection."""
        latest = self.latest(key)
        return self.materialized(key, uids) or ({} if latest is None else dict.fromkeys(uids, latest))

    def latest(self, key: dg.AssetKey) -> int | None:
        """Return the latest materialization of an asset: of the whole collection, or of any series."""
        records = self._instance.fetch_materializations(key, limit=1).records
        return records[0].storage_id if records else None

    def evaluated(self, check: dg.AssetCheckKey) -> set[str | None]:
        """Return the series for which a check has an outcome; None is among them for the whole collection."""
        return {info.partition_key for info in self._storage.get_asset_check_partition_info([check])}

    @staticmethod
    def target(event: int) -> AssetCheckEvaluationTargetMaterializationData:
        """Return what says that an outcome is of a materialization that no run made."""
        return AssetCheckEvaluationTargetMaterializationData(
            storage_id=event, run_id=RUNLESS_RUN_ID, timestamp=get_current_timestamp()
        )
