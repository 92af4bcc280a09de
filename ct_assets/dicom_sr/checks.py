"""Checks of dicom_sr: what the SRs say is what the tables say, and dciodvfy accepts them."""

import dagster as dg

from ct_assets.dicom_seg.checks import dciodvfy_check
from ct_assets.organs import EXPERT
from ct_assets.partitions import Scope
from resources.dicom_source import DicomSource
from resources.series_store import SeriesStore


def dicom_sr_checks(scope: Scope) -> list[dg.AssetChecksDefinition]:
    """Return the checks of a collection's dicom_sr."""
    collection = scope.collection

    @dg.asset_check(
        asset=scope.key("dicom_sr"),
        partitions_def=scope.partitions,
        blocking=True,
        description="Read back, every SR has the values of its table, and refers to the CT and its SEGs alone.",
    )
    def sr_reads_back(
        context: dg.AssetCheckExecutionContext, dicom_source: DicomSource, series_store: SeriesStore
    ) -> dg.AssetCheckResult:
        from ct_assets.ct_nifti.expert import series_expert_files
        from ct_assets.dicom_sr.compare import differences

        store = series_store.collection(collection.name)
        experts = series_expert_files(collection, store, context.partition_key, dicom_source.folder(collection))
        problems = differences(store.series(context.partition_key), collection.models, {EXPERT: experts})
        return dg.AssetCheckResult(passed=not problems, metadata={"problems": "; ".join(problems) or "none"})

    return [sr_reads_back, dciodvfy_check(scope, "dicom_sr", "sr_dciodvfy", lambda folder: folder.sr_objects)]
