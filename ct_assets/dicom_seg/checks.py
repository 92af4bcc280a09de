"""Check of dicom_seg: what the SEG holds is the label map."""

import dagster as dg
import numpy as np

from ct_assets.ct_nifti.record import read_ct_record
from ct_assets.ct_nifti.segmentation import UnusableSegmentationError, read_seg
from ct_assets.ct_nifti.volume import load_label_map
from ct_assets.partitions import Scope
from resources.series_store import SeriesStore


def dicom_seg_checks(scope: Scope) -> list[dg.AssetChecksDefinition]:
    """Return the checks of a collection's dicom_seg."""
    collection = scope.collection

    @dg.asset_check(
        asset=scope.key("dicom_seg"),
        partitions_def=scope.partitions,
        blocking=True,
        description="Read back onto the CT's grid, every SEG equals its label map voxel by voxel.",
    )
    def seg_reads_back(context: dg.AssetCheckExecutionContext, series_store: SeriesStore) -> dg.AssetCheckResult:
        folder = series_store.series(collection.name, context.partition_key)
        record = read_ct_record(folder.ct_record)
        problems = []
        for model in collection.models:
            labels = load_label_map(folder.label_map(model))
            if not folder.seg(model).is_file():
                problems += [f"{model}: the SEG is missing"] if labels.any() else []
                continue
            try:
                different = int(np.count_nonzero(read_seg(folder.seg(model), record) != labels))
            except UnusableSegmentationError as error:
                problems.append(str(error))
                continue
            problems += [f"{model}: {different} voxels differ from the label map"] if different else []
        return dg.AssetCheckResult(passed=not problems, metadata={"problems": "; ".join(problems) or "none"})

    return [seg_reads_back]
