"""What Dagster and the platform take for very many series without working on any: the table of docs/scale.md."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import dagster as dg

from benchmarks.cloned_series import clone_series, database_bytes
from benchmarks.idle_service import serve_idle
from benchmarks.new_instance import Instance
from ct_assets.collection import load_collection
from ct_assets.partitions import Scope, register_series
from ct_assets.settings import PROJECT_ROOT
from ct_assets.status import collection_status
from resources.dicom_source import DicomSource
from resources.series_store import SeriesStore
from sensors.missing_series import missing_series_schedule
from sensors.new_series import new_series_sensor
from tests.service_graphql import GraphQL

PARTITION_BAR = """
query($key: AssetKeyInput!) { assetNodeOrError(assetKey: $key) { ... on AssetNode { partitionKeys
  assetPartitionStatuses { ... on DefaultPartitionStatuses { materializedPartitions failedPartitions
  materializingPartitions } } partitionStats { numMaterialized numFailed numPartitions } } } }"""
"""What the page of an asset asks, to draw its partitions."""

CHECK_BAR = """
query($key: AssetKeyInput!) { assetNodeOrError(assetKey: $key) { ... on AssetNode { assetChecksOrError {
  ... on AssetChecks { checks { name partitionStatuses { ... on AssetCheckDefaultPartitionStatuses {
  succeededPartitions failedPartitions } } } } } } } }"""
"""What its tab of checks asks."""

MOST_WITH_CHECKS = 10_000
"""Series up to which results of checks are cloned too: of more, the web UI does not answer within a minute."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class ControlPlane:
    """Seconds that things take, and bytes of the database, with a number of series."""

    series: int
    storage: str
    register: float
    schedule_tick_cold: float
    schedule_tick: float
    sensor_tick: float
    status: float
    partition_bar_cold: float
    partition_bar: float
    check_bar: float | None
    database_mb: float


def measure_control_plane(series: int, place: Instance) -> ControlPlane:
    """Fill an empty instance and time what is asked of it.

    Parameters
    ----------
    series : int
        Registered series.
    place : Instance
        Where the instance is.
    """
    scope = Scope(load_collection(PROJECT_ROOT / "collections" / "demo.yaml"))
    uids = [f"1.2.826.0.1.{number}.{'7' * 40}" for number in range(1, series + 1)]
    with (
        TemporaryDirectory(prefix="bench-ops-") as scratch,
        dg.DagsterInstance.from_config(str(place.home)) as instance,
    ):
        home, dicom = Path(scratch) / "home", Path(scratch) / "dicom"
        store = SeriesStore(root=str(home))
        register = _seconds(lambda: register_series(instance, scope.collection, uids))
        logger.info("%s, %d series: registered in %.1f s; cloning", place.storage, series, register)
        with_checks = series <= MOST_WITH_CHECKS
        clone_series(instance, scope, uids, store.collection("demo"), with_checks=with_checks)
        first, tick = _twice(lambda: _schedule_tick(scope, instance, store))
        status = _seconds(lambda: collection_status(scope.collection, store.collection("demo"), instance))
        with serve_idle(place, Path(scratch)) as service:
            cold, bar = _twice(lambda: _ask(service, PARTITION_BAR))
            check_bar = _seconds(lambda: _ask(service, CHECK_BAR)) if with_checks else None
        for uid in uids:
            (dicom / uid).mkdir(parents=True)
            (dicom / uid / "1.dcm").touch()
        return ControlPlane(
            series=series,
            storage=place.storage,
            register=register,
            schedule_tick_cold=first,
            schedule_tick=tick,
            sensor_tick=_seconds(lambda: _sensor_tick(scope, dicom)),
            status=status,
            partition_bar_cold=cold,
            partition_bar=bar,
            check_bar=check_bar,
            database_mb=round(database_bytes(instance, place.state) / 1e6, 1),
        )


def _schedule_tick(scope: Scope, instance: dg.DagsterInstance, store: SeriesStore) -> None:
    with dg.build_schedule_context(instance=instance, resources={"series_store": store}) as context:
        requests = missing_series_schedule(scope)(context)
    assert isinstance(requests, list)
    assert len(requests) == scope.collection.schedule.batch


def _sensor_tick(scope: Scope, dicom: Path) -> None:
    """List a source of one file per series."""
    source = {"kind": "folder", "path": str(dicom)}
    collection = scope.collection.model_validate({**scope.collection.model_dump(), "source": source})
    context = dg.build_sensor_context(resources={"dicom_source": DicomSource()})
    new_series_sensor(Scope(collection))(context)


def _ask(service: GraphQL, query: str) -> Any:
    return service.graphql(query, key={"path": ["demo", "qc_report"]})["assetNodeOrError"]


def _seconds(do: Callable[[], Any]) -> float:
    started = time.perf_counter()
    do()
    return round(time.perf_counter() - started, 2)


def _twice(do: Callable[[], Any]) -> tuple[float, float]:
    return _seconds(do), _seconds(do)
