"""Asset bpr_json: slice scores, landmarks and regions by body part regression."""

from functools import partial

import dagster as dg

from ct_assets.partitions import Scope
from ct_assets.settings import settings
from resources.compute import Compute, Resident
from resources.model_store import ModelStore
from resources.series_store import SeriesStore


def bpr_json(scope: Scope) -> dg.AssetsDefinition:
    """Return the bpr_json asset of a collection."""
    collection = scope.collection
    config = collection.body_part_regression

    @scope.series_asset(
        "bpr_json",
        "ct_nifti",
        kinds={"bpreg", "json"},
        pool="gpu",
        code_version="2",
        description="Slice scores (bpr.json), 35 landmarks and 6 regions by body part regression.",
    )
    def bpr_json(
        context: dg.AssetExecutionContext, series_store: SeriesStore, model_store: ModelStore, compute: Compute
    ) -> dg.MaterializeResult:
        from ct_assets.bpr_json.body_axis import body_axis
        from ct_assets.bpr_json.score import score
        from ct_assets.ct_nifti.record import read_ct_record
        from ct_assets.ct_nifti.volume import load_scan
        from ct_assets.picture.image import data_url
        from ct_assets.store.tables import LANDMARKS, REGIONS

        context.log.info("series %s", context.partition_key)
        folder = series_store.series(collection.name, context.partition_key)
        weights = model_store.bpreg(config.model)
        resident = Resident(
            "ct_assets.bpr_json.bpreg_model:BpregModel",
            (("folder", str(weights)), ("device", settings().device)),
            version=model_store.fingerprint(weights),
        )
        known = {
            "name": config.model,
            "demonstration": bool(model_store.card(config.model).get("demonstration", False)),
        }
        volume, affine = load_scan(folder.ct_nifti)
        predict = partial(compute.run, resident)
        record = score(folder, volume, affine, known, predict, collection.compatibility)
        landmarks, regions = LANDMARKS.read(folder.landmarks), REGIONS.read(folder.regions)
        located = landmarks[landmarks["located"]]
        axis = body_axis(read_ct_record(folder.ct_record), volume, record, landmarks, regions)
        shown = {}
        if axis is not None:
            shown["preview"] = dg.MetadataValue.md(f"![landmarks, regions, scores]({data_url(axis.png())})")
        return dg.MaterializeResult(
            metadata={
                **shown,
                "landmarks_located": len(located),
                "lung_extent_mm": round(record.lung_extent_mm, 1) if record.lung_extent_mm else "not measurable",
                "body_part_examined": record.body_part_examined or "none",
                "landmarks": dg.MetadataValue.md(
                    located[["landmark", "position_mm", "slice_index"]].to_markdown(
                        index=False, floatfmt=("", ".1f", ".0f")
                    )
                ),
                "regions": dg.MetadataValue.md(
                    regions.drop(columns=["SeriesInstanceUID", "code"]).to_markdown(index=False, floatfmt=".3f")
                ),
                "landmark_rule": record.landmark_rule,
                "reason": record.reason or "none",
                "seconds": record.seconds,
                "weights_digest": record.provenance.weights_digest,
                "notice": record.provenance.notice or "none",
            }
        )

    return bpr_json
