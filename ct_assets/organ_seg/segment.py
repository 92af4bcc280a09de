"""Segment the organs of one series with one model, and describe the label map."""

import logging
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from ct_assets.ct_nifti.record import read_ct_record
from ct_assets.ct_nifti.volume import load_scan, load_spacing, save_label_map
from ct_assets.organ_seg.label_boxes import Box, label_boxes
from ct_assets.organ_seg.label_counts import count_labels
from ct_assets.organ_seg.prediction import Prediction
from ct_assets.organ_seg.record import LabelMapRecord, OrganFinding
from ct_assets.organs import ORGANS, Organ
from ct_assets.provenance import Provenance
from ct_assets.stopwatch import Stopwatch
from ct_assets.store.digest import file_digest
from ct_assets.store.paths import SeriesFolder

logger = logging.getLogger(__name__)

Predict = Callable[[npt.NDArray[Any], tuple[float, float, float]], Prediction]
"""A loaded model: CT in HU and spacing in, label map and description out (`NnunetModel.__call__`)."""


def segment(folder: SeriesFolder, configuration: str, provenance: dict[str, Any], predict: Predict) -> LabelMapRecord:
    """Write the label map of one model and its record.

    Parameters
    ----------
    folder : SeriesFolder
        Series with ct.nii.gz.
    configuration : str
        Names the label map.
    provenance : dict
        What is known of the model before it runs: `name`, `tta`, `step_size`, `demonstration`.
    predict : callable
        The loaded model.

    Returns
    -------
    LabelMapRecord
        What organ_seg/<model>.json says. An organ that was not found has no voxels; that is no error.
    """
    record = read_ct_record(folder.ct_record)
    assert record.spacing_mm is not None
    began, stages = time.monotonic(), Stopwatch()
    volume, spacing_mm = load_scan(folder.ct_nifti)[0], load_spacing(folder.ct_nifti)
    stages.end("read")
    prediction = predict(volume, spacing_mm)
    stages.start()
    save_label_map(prediction.labels, folder.ct_nifti, folder.label_map(configuration))
    organs = describe_organs(prediction.labels, record.spacing_mm)
    stages.end("write")
    read, write = stages.seconds["read"], stages.seconds["write"]
    result = LabelMapRecord(
        series_instance_uid=record.series_instance_uid,
        source_digest=record.source_digest,
        label_map_digest=file_digest(folder.label_map(configuration)),
        provenance=Provenance(
            configuration=configuration,
            folds=prediction.folds,
            mixed_precision=prediction.mixed_precision,
            weights_digest=prediction.weights_digest,
            software=prediction.software,
            **provenance,
        ),
        organs=organs,
        seconds=round(time.monotonic() - began, 3),
        stages={"read": read, **prediction.seconds, "write": write},
        remark=prediction.remark,
    )
    result.write(folder.label_map_record(configuration))
    missing = [organ for organ, finding in result.organs.items() if not finding.voxels]
    logger.info(
        "series %s: %s segmented in %.1f s%s",
        record.series_instance_uid,
        configuration,
        result.seconds,
        f", not found: {', '.join(missing)}" if missing else "",
    )
    return result


def describe_organs(labels: npt.NDArray[np.uint8], spacing_mm: tuple[float, float, float]) -> dict[Organ, OrganFinding]:
    """Count and bound the organs of a label map.

    Parameters
    ----------
    labels : ndarray of uint8, shape (columns, rows, slices)
        Label map.
    spacing_mm : tuple of float
        Voxel size.

    Returns
    -------
    dict
        One finding per organ, by name; volume in mL.
    """
    voxel_ml = float(np.prod(spacing_mm)) / 1000
    counts = count_labels(labels)
    boxes = label_boxes(labels, max(ORGANS))
    return {
        organ: OrganFinding(
            label=label,
            voxels=int(counts[label]),
            volume_ml=round(float(counts[label]) * voxel_ml, 4),
            box=_box(boxes[label - 1]),
        )
        for label, organ in ORGANS.items()
    }


def _box(box: Box | None) -> tuple[tuple[int, int], tuple[int, int], tuple[int, int]] | None:
    if box is None:
        return None
    first, second, third = ((int(part.start), int(part.stop) - 1) for part in box)
    return first, second, third
