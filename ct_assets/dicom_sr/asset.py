"""Asset dicom_sr: shape features of each model and of the expert, landmarks and regions as DICOM SR."""

from functools import partial

import dagster as dg

from ct_assets.partitions import Scope
from resources.dicom_source import DicomSource
from resources.series_store import SeriesStore


def dicom_sr(scope: Scope) -> dg.AssetsDefinition:
    """Return the dicom_sr asset of a collection."""
    collection = scope.collection

    @scope.series_asset(
        "dicom_sr",
        "dicom_seg",
        "shape_features",
        "bpr_json",
        kinds={"dicom"},
        pool="cpu",
        code_version="2",
        description="DICOM SRs and their tables: shape features per model, landmarks, regions; no SR is empty.",
    )
    def dicom_sr(
        context: dg.AssetExecutionContext, dicom_source: DicomSource, series_store: SeriesStore
    ) -> dg.MaterializeResult:
        from ct_assets.ct_nifti.expert import load_expert
        from ct_assets.ct_nifti.record import read_ct_record
        from ct_assets.ct_nifti.source import source_series
        from ct_assets.dicom.written import write_objects
        from ct_assets.dicom_sr.reports import plan_reports
        from ct_assets.dicom_sr.sign_off import read_sign_offs
        from ct_assets.dicom_sr.tables import write_measurement_tables

        uid = context.partition_key
        context.log.info("series %s", uid)
        store, source = series_store.collection(collection.name), dicom_source.folder(collection)
        folder = store.series(uid)
        expert = load_expert(collection, store, read_ct_record(folder.ct_record), source)
        planned = plan_reports(partial(source_series, store, source, uid), folder, collection, expert)
        write_objects(planned, folder.sr_objects, read_sign_offs(folder.sign_offs))
        rows = write_measurement_tables(folder)
        return dg.MaterializeResult(metadata={**{plan.name: plan.outcome for plan in planned}, **rows})

    return dicom_sr
