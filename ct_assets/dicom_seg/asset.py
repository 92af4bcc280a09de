"""Asset dicom_seg: one DICOM SEG per model."""

from functools import partial

import dagster as dg

from ct_assets.partitions import Scope
from resources.dicom_source import DicomSource
from resources.series_store import SeriesStore


def dicom_seg(scope: Scope) -> dg.AssetsDefinition:
    """Return the dicom_seg asset of a collection."""
    collection = scope.collection

    @scope.series_asset(
        "dicom_seg",
        "organ_seg",
        kinds={"dicom"},
        pool="cpu",
        code_version="2",
        description="One DICOM Segmentation per model; a model that found no organ has none, with the reason.",
    )
    def dicom_seg(
        context: dg.AssetExecutionContext, dicom_source: DicomSource, series_store: SeriesStore
    ) -> dg.MaterializeResult:
        from ct_assets.ct_nifti.source import source_series
        from ct_assets.dicom.written import write_objects
        from ct_assets.dicom_seg.writer import plan_segs

        uid = context.partition_key
        context.log.info("series %s", uid)
        store = series_store.collection(collection.name)
        folder = store.series(uid)
        planned = plan_segs(partial(source_series, store, dicom_source.folder(collection), uid), folder, collection)
        write_objects(planned, folder.seg_objects)
        return dg.MaterializeResult(metadata={plan.name: plan.outcome for plan in planned})

    return dicom_seg
