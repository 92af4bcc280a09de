"""A collection that is annotated in an instance that lasts: one small fit series, and what the store has of it."""

from dataclasses import dataclass
from pathlib import Path

import dagster as dg

from ct_assets.collection import Collection
from ct_assets.definitions import collection_definitions
from ct_assets.partitions import Scope
from resources.series_store import SeriesStore


@dataclass(frozen=True)
class Annotated:
    """A collection with its store, and the instance in which it was annotated."""

    collection: Collection
    store: SeriesStore
    instance: dg.DagsterInstance

    @property
    def assets(self) -> list[dg.AssetsDefinition]:
        defined = collection_definitions(self.collection).assets or ()
        return [one for one in defined if isinstance(one, dg.AssetsDefinition)]

    @property
    def scope(self) -> Scope:
        return Scope(self.collection)

    @property
    def folder(self) -> Path:
        return self.store.collection(self.collection.name).path


def shown(instance: dg.DagsterInstance, collection: Collection) -> dict[str, object]:
    """Return what the web UI shows of a collection: partitions, what is materialized, the status of every check."""
    defined = collection_definitions(collection)
    scope = Scope(collection)
    assets = [key for asset in defined.assets or () for key in asset.keys]
    checks = [key for check in defined.asset_checks or () for key in check.check_keys]
    return {
        "partitions": sorted(instance.get_dynamic_partitions(str(scope.partitions.name))),
        "materialized": {
            key.to_user_string(): sorted(instance.get_materialized_partitions(key))
            for key in assets
            if instance.get_latest_materialization_event(key)
        },
        "checks": {
            (info.check_key.to_user_string(), info.partition_key): (
                info.latest_execution_status.value,
                info.latest_target_materialization_storage_id == info.latest_materialization_storage_id,
            )
            for info in instance.event_log_storage.get_asset_check_partition_info(checks)
        },
    }
