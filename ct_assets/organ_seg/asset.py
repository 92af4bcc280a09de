"""Asset organ_seg: one label map per configured nnU-Net model."""

from functools import partial
from typing import TYPE_CHECKING

import dagster as dg

from ct_assets.organs import EXPERT
from ct_assets.partitions import Scope
from ct_assets.settings import settings
from resources.compute import Compute, Resident
from resources.model_store import ModelStore
from resources.series_store import SeriesStore

if TYPE_CHECKING:
    from ct_assets.organ_seg.record import LabelMapRecord


def organ_seg(scope: Scope) -> dg.AssetsDefinition:
    """Return the organ_seg asset of a collection."""
    collection = scope.collection
    config = collection.organ_segmentation

    @scope.series_asset(
        "organ_seg",
        "ct_nifti",
        kinds={"nnunet", "nifti"},
        pool="gpu",
        description=f"Esophagus, heart, trachea, aorta by nnU-Net v1: {', '.join(collection.models)}.",
    )
    def organ_seg(
        context: dg.AssetExecutionContext, series_store: SeriesStore, model_store: ModelStore, compute: Compute
    ) -> dg.MaterializeResult:
        from ct_assets.organ_seg.segment import segment

        context.log.info("series %s", context.partition_key)
        folder = series_store.series(collection.name, context.partition_key)
        demonstration = bool(model_store.card(config.model).get("demonstration", False))
        folder.remove_other_models((*config.configurations, EXPERT))
        metadata: dict[str, dg.MetadataValue] = {}
        for configuration in config.configurations:
            weights = model_store.nnunet(config.model, configuration)
            resident = Resident(
                "ct_assets.organ_seg.nnunet_model:NnunetModel",
                (
                    ("folder", str(weights)),
                    ("folds", config.folds),
                    ("tta", config.tta),
                    ("step_size", config.step_size),
                    ("precision", config.precision),
                    ("device", settings().device),
                ),
                version=model_store.fingerprint(weights),
            )
            known = {
                "name": config.model,
                "tta": config.tta,
                "step_size": config.step_size,
                "demonstration": demonstration,
            }
            record = segment(folder, configuration, known, partial(compute.run, resident))
            metadata |= _metadata(configuration, record)
        return dg.MaterializeResult(metadata=metadata)

    return organ_seg


def _metadata(configuration: str, record: "LabelMapRecord") -> dict[str, dg.MetadataValue]:
    volumes = {f"{configuration}/{organ}_ml": finding.volume_ml for organ, finding in record.organs.items()}
    return {
        **{name: dg.MetadataValue.float(round(volume, 2)) for name, volume in volumes.items()},
        f"{configuration}/organs": dg.MetadataValue.table(
            [
                dg.TableRecord(
                    {
                        "organ": organ,
                        "label": finding.label,
                        "voxels": finding.voxels,
                        "volume_ml": round(finding.volume_ml, 2),
                        "box": " x ".join(f"{first}-{last}" for first, last in finding.box or ()) or "not found",
                    }
                )
                for organ, finding in record.organs.items()
            ]
        ),
        f"{configuration}/seconds": dg.MetadataValue.float(record.seconds),
        f"{configuration}/stages": dg.MetadataValue.table(
            [dg.TableRecord({"stage": stage, "seconds": seconds}) for stage, seconds in record.stages.items()]
        ),
        f"{configuration}/weights_digest": dg.MetadataValue.text(record.provenance.weights_digest),
        f"{configuration}/remark": dg.MetadataValue.text(record.remark or "none"),
        f"{configuration}/notice": dg.MetadataValue.text(record.provenance.notice or "none"),
    }
