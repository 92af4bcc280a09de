"""Sensor new_release: asks for a new cohort_table when the Imaging Data Commons has published another release."""

from importlib.metadata import version

import dagster as dg

from ct_assets.partitions import Scope
from ct_assets.source_settings import BigQuerySource, IdcSource
from resources.warehouse import Warehouse, WarehouseError

_PACKAGE = "idc-index-data"
_HOUR_SECONDS = 3600
_DAY_SECONDS = 24 * _HOUR_SECONDS


def release(source: IdcSource | BigQuerySource, warehouse: Warehouse) -> str:
    """Return what the series metadata of a collection come from: another text is another release.

    Parameters
    ----------
    source : IdcSource or BigQuerySource
        Where the metadata are: in the installed package, or in BigQuery.
    warehouse : Warehouse
        BigQuery; asked only where the metadata are in it.

    Raises
    ------
    WarehouseError
        If BigQuery does not answer.
    """
    if isinstance(source, IdcSource):
        return f"{_PACKAGE} {version(_PACKAGE)}"
    dataset = source.table.rpartition(".")[0]
    found = warehouse.query(f"SELECT MAX(idc_version) AS idc_version FROM `{dataset}.version_metadata`")  # noqa: S608
    return f"{dataset} {found['idc_version'].iloc[0]}"


def new_release_sensor(scope: Scope) -> dg.SensorDefinition:
    """Return the new_release sensor of a collection whose series are fetched when they are asked for."""
    collection = scope.collection
    source = collection.source
    assert isinstance(source, IdcSource | BigQuerySource)

    @dg.sensor(
        name=f"{collection.name}_new_release",
        target=dg.AssetSelection.assets(scope.cohort_key("cohort_table")),
        # A query costs a little money, the version of a package nothing.
        minimum_interval_seconds=_DAY_SECONDS if isinstance(source, BigQuerySource) else _HOUR_SECONDS,
        description="Asks for cohort_table when the Imaging Data Commons has published another release.",
    )
    def new_release(context: dg.SensorEvaluationContext, warehouse: Warehouse) -> dg.SensorResult | dg.SkipReason:
        try:
            now = release(source, warehouse)
        except WarehouseError as error:
            return dg.SkipReason(str(error))
        if now == context.cursor:
            return dg.SkipReason(f"still {now}")
        return dg.SensorResult(run_requests=[dg.RunRequest(tags={"ct_assets/release": now})], cursor=now)

    return new_release
