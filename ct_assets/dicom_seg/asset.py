"""Asset dicom_seg: one DICOM SEG per model."""

import dagster as dg

from ct_assets.ct_nifti.record import read_ct_record
from ct_assets.ct_nifti.source import source_series
from ct_assets.dicom_seg.writer import EmptySegmentationError, write_seg
from ct_assets.organ_seg.record import read_label_map
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
        description="One DICOM Segmentation per model; a model that found no organ has none, with the reason.",
    )
    def dicom_seg(
        context: dg.AssetExecutionContext, dicom_source: DicomSource, series_store: SeriesStore
    ) -> dg.MaterializeResult:
        uid = context.partition_key
        context.log.info("series %s", uid)
        store = series_store.collection(collection.name)
        folder = store.series(uid)
        record = read_ct_record(folder.ct_record)
        series = source_series(store, dicom_source.folder(collection), uid)
        metadata: dict[str, dg.MetadataValue] = {}
        for model in collection.models:
            labels, label_map = read_label_map(folder, model)
            target = folder.seg(model)
            try:
                write_seg(series, record, labels, label_map, target)
                metadata[model] = dg.MetadataValue.path(str(target))
            except EmptySegmentationError as error:
                target.unlink(missing_ok=True)
                metadata[model] = dg.MetadataValue.text(f"none: {error}")
        return dg.MaterializeResult(metadata=metadata)

    return dicom_seg
