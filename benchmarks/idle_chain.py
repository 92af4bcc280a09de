"""The assets of a collection with their work left out: same keys, partitions, pools, checks and jobs, no-ops inside.

As a code location (`benchmarks.idle_chain`) it serves the collections of CT_ASSETS_COLLECTIONS. Loading it loads the
real definitions first, as every run does.
"""

import warnings
from collections.abc import Collection, Iterator
from typing import Any

import dagster as dg

from ct_assets.collection import load_collections
from ct_assets.definitions import collection_definitions
from ct_assets.installation import resources


def without_work(definitions: dg.Definitions, keep: Collection[str] = ()) -> dg.Definitions:
    """Return definitions whose assets and checks do nothing.

    Parameters
    ----------
    definitions : Definitions
        Those of a collection.
    keep : collection of str
        Assets that stay as they are.
    """
    kept = [asset for asset in definitions.assets or () if asset.key.path[-1] in keep]  # type: ignore[union-attr]
    idle = [_idle_asset(asset) for asset in definitions.assets or () if asset not in kept]
    return dg.Definitions(
        assets=[*kept, *idle],
        asset_checks=[_idle_checks(check) for check in definitions.asset_checks or ()],
        jobs=definitions.jobs,
        schedules=definitions.schedules,
        sensors=definitions.sensors,
    )


def _idle_asset(asset: Any) -> dg.AssetsDefinition:
    [spec] = asset.specs

    @dg.multi_asset(
        name=asset.op.name,
        specs=[spec],
        required_resource_keys=set(asset.required_resource_keys),
        pool=asset.op.pool,
    )
    def idle(context: dg.AssetExecutionContext) -> dg.MaterializeResult[Any]:
        if context.has_partition_key:
            context.log.info("series %s", context.partition_key)
        return dg.MaterializeResult(
            asset_key=spec.key, metadata={"seconds": 0.0, "folder": dg.MetadataValue.path("/nowhere")}
        )

    return idle


def _idle_checks(checks: Any) -> dg.AssetChecksDefinition:
    specs = list(checks.check_specs)

    @dg.multi_asset_check(
        name=checks.op.name, specs=specs, required_resource_keys=set(checks.required_resource_keys), can_subset=False
    )
    def idle() -> Iterator[dg.AssetCheckResult]:
        for spec in specs:
            yield dg.AssetCheckResult(
                check_name=spec.name, asset_key=spec.asset_key, passed=True, metadata={"outcome": "pass"}
            )

    return idle


warnings.filterwarnings("ignore", category=dg.PreviewWarning)
defs = dg.Definitions.merge(
    *(without_work(collection_definitions(collection)) for collection in load_collections()),
    dg.Definitions(resources=resources(), executor=dg.in_process_executor),
)
