"""Check of organ_seg: every organ was found by every model."""

import dagster as dg

from ct_assets.partitions import Scope
from ct_assets.store.paths import SeriesFolder
from resources.series_store import SeriesStore


def organ_seg_checks(scope: Scope) -> list[dg.AssetChecksDefinition]:
    """Return the checks of a collection's organ_seg."""
    collection = scope.collection

    @dg.asset_check(
        asset=scope.key("organ_seg"),
        partitions_def=scope.partitions,
        description="Esophagus, heart, trachea and aorta were found by every model.",
    )
    def organs_found(context: dg.AssetCheckExecutionContext, series_store: SeriesStore) -> dg.AssetCheckResult:
        return organs_found_result(series_store.series(collection.name, context.partition_key), scope)

    return [organs_found]


def organs_found_result(folder: SeriesFolder, scope: Scope) -> dg.AssetCheckResult:
    """Return what the records of the label maps say: whether every organ was found by every model.

    Parameters
    ----------
    folder : SeriesFolder
        The series.
    scope : Scope
        Its collection.
    """
    from ct_assets.organ_seg.record import read_label_map_record

    missing = [
        f"{organ} ({model})"
        for model in scope.collection.models
        for organ, finding in read_label_map_record(folder.label_map_record(model)).organs.items()
        if not finding.voxels
    ]
    return dg.AssetCheckResult(
        check_name="organs_found",
        asset_key=scope.key("organ_seg"),
        passed=not missing,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={"missing": ", ".join(missing) or "none"},
    )
