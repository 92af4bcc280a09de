"""The series partitions of a collection: one partition is one CT series, its key the SeriesInstanceUID."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import dagster as dg
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

from ct_assets.collection import Collection
from ct_assets.step_name import COHORT_ASSETS

PARTITION_TAG = "dagster/partition"
"""Tag of a run: the series that it works on."""

UNFINISHED = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]
"""States of runs that work on something or wait to."""

_CHUNK = 500


@dataclass(frozen=True)
class Scope:
    """A collection, or one of its shards, as Dagster sees it: keys, group and partitions of its assets."""

    collection: Collection
    shard: int = 0

    @property
    def partitions(self) -> dg.DynamicPartitionsDefinition:
        """Partitions: one per selected series."""
        suffix = f"_{self.shard:04d}" if self.collection.shards > 1 else ""
        return dg.DynamicPartitionsDefinition(name=f"{self.collection.name}_series{suffix}")

    @property
    def group(self) -> str:
        """Asset group: the collection."""
        return self.collection.name

    def key(self, asset: str) -> dg.AssetKey:
        """Key of a partitioned asset: `<collection>/<asset>`, or `<collection>/<shard>/<asset>` above one shard."""
        shard = [f"{self.shard:04d}"] if self.collection.shards > 1 else []
        return dg.AssetKey([self.collection.name, *shard, asset])

    def cohort_key(self, asset: str) -> dg.AssetKey:
        """Key of an asset that describes the whole collection."""
        return dg.AssetKey([self.collection.name, asset])

    def series_asset(
        self, name: str, *deps: str, kinds: set[str], pool: str, description: str, code_version: str = "1"
    ) -> Callable[[Callable[..., dg.MaterializeResult[Any]]], dg.AssetsDefinition]:
        """Return the decorator of an asset that is partitioned by series.

        Parameters
        ----------
        name : str
            Asset.
        *deps : str
            Assets of the same series that it reads.
        kinds : set of str
            What it is made with and made of.
        pool : str
            gpu or cpu: what limits how many run at once.
        description : str
            What it holds.
        code_version : str
            Raise it when the same input gives other content.
        """
        return dg.asset(
            key=self.key(name),
            deps=[self.key(dep) for dep in deps],
            partitions_def=self.partitions,
            group_name=self.group,
            kinds=kinds,
            pool=pool,
            code_version=code_version,
            description=description,
        )

    @cached_property
    def job(self) -> UnresolvedAssetJobDefinition:
        """Job that takes one series through the whole chain, checks included."""
        cohort = dg.AssetSelection.assets(*(self.cohort_key(asset) for asset in COHORT_ASSETS))
        chain = dg.AssetSelection.key_prefixes(list(self.key("x").path[:-1])) - cohort
        return dg.define_asset_job(
            f"{self.partitions.name}_annotate",
            selection=chain,
            description="Takes series through the whole chain, each in a run of its own: Materialize all, and choose.",
        )


def scopes(collection: Collection) -> list[Scope]:
    """Return one scope per shard of a collection."""
    return [Scope(collection, shard) for shard in range(collection.shards)]


def shard_of(collection: Collection, series_instance_uid: str) -> int:
    """Return the shard of a series: a hash of its UID, so that it never moves.

    Parameters
    ----------
    collection : Collection
        The collection.
    series_instance_uid : str
        SeriesInstanceUID.
    """
    digest = hashlib.sha256(series_instance_uid.encode()).digest()
    return int.from_bytes(digest[:8], "big") % collection.shards


@dataclass(frozen=True)
class Registered:
    """What registering did to the partitions of a collection; `kept` are those that are no longer selected."""

    added: int = 0
    removed: int = 0
    kept: int = 0


def register_series(
    instance: dg.DagsterInstance, collection: Collection, uids: list[str], *, remove: bool = True
) -> Registered:
    """Make the partitions of a collection equal to a list of series.

    A series that a run is working on keeps its partition until the next time.

    Parameters
    ----------
    instance : DagsterInstance
        Where partitions are registered.
    collection : Collection
        The collection.
    uids : list of str
        SeriesInstanceUIDs of the selected series.
    remove : bool, default True
        Remove the partitions of other series; not where the list may lack series, because files could not be read.

    Returns
    -------
    Registered
        How many were added, how many removed, and how many kept although they are not in the list.
    """
    added = removed = kept = 0
    in_flight = set(series_of_unfinished_runs(instance)) if remove else set()
    for scope in scopes(collection):
        name = scope.partitions.name
        assert name is not None
        wanted = {uid for uid in uids if shard_of(collection, uid) == scope.shard}
        present = set(instance.get_dynamic_partitions(name))
        new, gone = sorted(wanted - present), present - wanted
        for start in range(0, len(new), _CHUNK):
            instance.add_dynamic_partitions(name, new[start : start + _CHUNK])
        removable = sorted(gone - in_flight) if remove else []
        for uid in removable:
            instance.delete_dynamic_partition(name, uid)
        added, removed, kept = added + len(new), removed + len(removable), kept + len(gone) - len(removable)
    return Registered(added, removed, kept)


def series_of_unfinished_runs(instance: dg.DagsterInstance) -> dict[str, dg.DagsterRunStatus]:
    """Return the series that runs work on or wait for, whatever they make, with the status of the latest of them.

    Parameters
    ----------
    instance : DagsterInstance
        Where runs are recorded.
    """
    # Not get_runs: of 100,000 queued runs it would build every one.
    runs = instance.get_run_partition_data(dg.RunsFilter(statuses=UNFINISHED))
    return {run.partition: run.status for run in runs}
