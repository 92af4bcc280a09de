"""Asset ct_nifti: the CT volume, proven to lie where DICOM puts it."""

import dagster as dg

from ct_assets.partitions import Scope
from resources.dicom_source import DicomSource
from resources.series_store import SeriesStore


def ct_nifti(scope: Scope) -> dg.AssetsDefinition:
    """Return the ct_nifti asset of a collection."""
    collection = scope.collection

    @dg.asset(
        key=scope.key("ct_nifti"),
        deps=[scope.cohort_key("cohort_table")],
        partitions_def=scope.partitions,
        group_name=scope.group,
        kinds={"dicom", "nifti"},
        pool="cpu",
        code_version="2",
        description="CT volume by dcm2niix (ct.nii.gz), its geometry and the table slice -> instance (ct.json).",
    )
    def ct_nifti(
        context: dg.AssetExecutionContext, dicom_source: DicomSource, series_store: SeriesStore
    ) -> dg.MaterializeResult:
        from ct_assets.ct_nifti.convert import convert
        from ct_assets.ct_nifti.fetch import fetch_needed, rejected_on_headers
        from ct_assets.ct_nifti.source import source_files

        uid = context.partition_key
        context.log.info("series %s", uid)
        store = series_store.collection(collection.name)
        source = dicom_source.folder(collection)
        fetch_needed(collection, store, dicom_source, source, uid)
        files = source_files(store, source, uid)
        record = convert(files, store.series(uid), rejected_on_headers(collection, store, files, uid))
        return dg.MaterializeResult(
            metadata={
                "fit": record.fit,
                "reasons": "; ".join(record.reasons) or "none",
                "slices": len(files),
                "voxels": " x ".join(map(str, record.shape)) if record.shape else "none",
                "spacing_mm": " x ".join(f"{value:.3f}" for value in record.spacing_mm)
                if record.spacing_mm
                else "none",
                "converter": record.converter,
                "messages": "; ".join(record.converter_messages) or "none",
                "folder": dg.MetadataValue.path(str(store.series(uid).path)),
            }
        )

    return ct_nifti
