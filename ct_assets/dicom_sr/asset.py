"""Asset dicom_sr: shape features of each model, landmarks and regions as DICOM SR."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import dagster as dg

from ct_assets.bpr_json.record import read_body_part_record
from ct_assets.ct_nifti.record import read_ct_record
from ct_assets.ct_nifti.source import source_series
from ct_assets.dicom_sr.document import EmptyReportError
from ct_assets.dicom_sr.features import write_features_sr
from ct_assets.dicom_sr.landmarks import write_landmarks_sr
from ct_assets.dicom_sr.regions import write_regions_sr
from ct_assets.dicom_sr.tables import write_measurement_tables
from ct_assets.organ_seg.record import read_label_map_record
from ct_assets.partitions import Scope
from ct_assets.store.tables import LANDMARKS, SHAPE_FEATURES
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
        description="DICOM SRs and their tables: shape features per model, landmarks, regions; no SR is empty.",
    )
    def dicom_sr(
        context: dg.AssetExecutionContext, dicom_source: DicomSource, series_store: SeriesStore
    ) -> dg.MaterializeResult:
        uid = context.partition_key
        context.log.info("series %s", uid)
        store = series_store.collection(collection.name)
        folder = store.series(uid)
        record = read_ct_record(folder.ct_record)
        series = source_series(store, dicom_source.folder(collection), uid)
        body_part = read_body_part_record(folder.bpr_record)
        features, landmarks = SHAPE_FEATURES.read(folder.shape_features), LANDMARKS.read(folder.landmarks)
        metadata: dict[str, dg.MetadataValue] = {}

        def write(name: str, target: Path, writer: Callable[..., None], *content: Any) -> None:
            try:
                writer(series, record, *content, target)
                metadata[name] = dg.MetadataValue.path(str(target))
            except EmptyReportError as error:
                target.unlink(missing_ok=True)
                metadata[name] = dg.MetadataValue.text(f"none: {error}")

        for model in collection.models:
            if not folder.seg(model).is_file():
                folder.features_sr(model).unlink(missing_ok=True)
                metadata[model] = dg.MetadataValue.text("none: the model found no organ")
                continue
            provenance = read_label_map_record(folder.label_map_record(model)).provenance
            rows = features[features["model"] == model]
            write(model, folder.features_sr(model), write_features_sr, rows, folder.seg(model), provenance)
        write("landmarks", folder.landmarks_sr, write_landmarks_sr, landmarks, body_part.provenance)
        write_regions = partial(write_regions_sr, compatibility=collection.compatibility)
        write("regions", folder.regions_sr, write_regions, body_part.slice_regions, body_part.provenance)
        return dg.MaterializeResult(metadata={**metadata, **write_measurement_tables(folder)})

    return dicom_sr
