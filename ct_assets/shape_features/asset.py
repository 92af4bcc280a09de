"""Asset shape_features: 14 shape features per organ, of every model and of the expert."""

import time
from functools import partial

import dagster as dg

from ct_assets.organs import EXPERT, ORGANS
from ct_assets.partitions import Scope
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
        code_version="3",
        description="14 shape features per organ, equal to pyradiomics', of every model and of the expert.",
    )
    def shape_features(
        context: dg.AssetExecutionContext, dicom_source: DicomSource, series_store: SeriesStore
    ) -> dg.MaterializeResult:
        import numpy as np
        import pandas as pd

        from ct_assets.ct_nifti.expert import load_expert
        from ct_assets.ct_nifti.record import read_ct_record
        from ct_assets.organ_seg.record import read_label_map
        from ct_assets.shape_features.measure import measure_organs
        from ct_assets.shape_features.organ_mask import organ_of_mask, organs_of_label_map
        from ct_assets.shape_features.overview import shape_overview
        from ct_assets.store.tables import SHAPE_FEATURES

        uid = context.partition_key
        context.log.info("series %s", uid)
        started = time.perf_counter()
        store = series_store.collection(collection.name)
        folder = store.series(uid)
        record = read_ct_record(folder.ct_record)
        affine = np.asarray(record.affine)
        measure = partial(
            measure_organs, affine=affine, series_instance_uid=uid, engine=collection.shape_features.engine
        )
        tables = []
        for model in collection.models:
            labels, label_map = read_label_map(folder, model)
            organs = organs_of_label_map(labels, ORGANS, affine, label_map.label_map_digest)
            tables.append(measure(organs, model=model, weights_digest=label_map.provenance.weights_digest))
        expert = load_expert(collection, store, record, dicom_source.folder(collection))
        organs = [
            organ_of_mask(expert[organ].mask, label, organ, affine, expert[organ].digest)
            for label, organ in ORGANS.items()
            if organ in expert
        ]
        if organs:
            tables.append(measure(organs, model=EXPERT, weights_digest=None))
        features = pd.concat(tables, ignore_index=True)
        SHAPE_FEATURES.write(features, folder.shape_features)
        seconds = time.perf_counter() - started
        context.log.info("series %s: shape features of %d segmentations in %.2f s", uid, len(tables), seconds)
        return dg.MaterializeResult(
            metadata={
                "measured": int(features["value"].notna().sum()),
                "not_measurable": int(features["value"].isna().sum()),
                "seconds": round(seconds, 3),
                "organs": dg.MetadataValue.table([dg.TableRecord(row) for row in shape_overview(features)]),
            }
        )

    return shape_features
