"""Asset shape_features: 14 shape features per organ, of every model and of the expert."""

import dagster as dg
import numpy as np
import pandas as pd

from ct_assets.ct_nifti.expert import load_expert
from ct_assets.ct_nifti.record import read_ct_record
from ct_assets.organ_seg.record import read_label_map
from ct_assets.organs import EXPERT, ORGANS
from ct_assets.partitions import Scope
from ct_assets.shape_features.measure import OrganMask, measure_organs
from ct_assets.store.tables import SHAPE_FEATURES
from resources.dicom_source import DicomSource
from resources.series_store import SeriesStore


def shape_features(scope: Scope) -> dg.AssetsDefinition:
    """Return the shape_features asset of a collection."""
    collection = scope.collection

    @scope.series_asset(
        "shape_features",
        "ct_nifti",
        "organ_seg",
        kinds={"parquet"},
        pool="cpu",
        code_version="2",
        description="14 shape features per organ by pyradiomics, of every model and of the expert.",
    )
    def shape_features(
        context: dg.AssetExecutionContext, dicom_source: DicomSource, series_store: SeriesStore
    ) -> dg.MaterializeResult:
        uid = context.partition_key
        context.log.info("series %s", uid)
        store = series_store.collection(collection.name)
        folder = store.series(uid)
        record = read_ct_record(folder.ct_record)
        affine = np.asarray(record.affine)
        tables = []
        for model in collection.models:
            labels, label_map = read_label_map(folder, model)
            made = label_map.label_map_digest
            masks = {organ: OrganMask(label, labels == label, made) for label, organ in ORGANS.items()}
            digest = label_map.provenance.weights_digest
            tables.append(measure_organs(masks, affine, series_instance_uid=uid, model=model, weights_digest=digest))
        expert = load_expert(collection, store, record, dicom_source.folder(collection))
        masks = {
            organ: OrganMask(label, expert[organ].mask, expert[organ].digest)
            for label, organ in ORGANS.items()
            if organ in expert
        }
        if masks:
            tables.append(measure_organs(masks, affine, series_instance_uid=uid, model=EXPERT, weights_digest=None))
        features = pd.concat(tables, ignore_index=True)
        SHAPE_FEATURES.write(features, folder.shape_features)
        shown = features.pivot_table(index=["model", "organ"], columns="feature", values="value")
        return dg.MaterializeResult(
            metadata={
                "measured": int(features["value"].notna().sum()),
                "not_measurable": int(features["value"].isna().sum()),
                "features": dg.MetadataValue.md(
                    shown[["MeshVolume", "Sphericity", "Maximum3DDiameter"]].to_markdown(floatfmt=".3f")
                    if len(shown)
                    else "none"
                ),
            }
        )

    return shape_features
