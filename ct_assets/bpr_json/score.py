"""Score the slices of one series and derive landmarks, regions and lung extent."""

import json
import logging
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from ct_assets.bpr_json.landmarks import NO_SCORES, Landmark, locate_landmarks
from ct_assets.bpr_json.record import BodyPartRecord
from ct_assets.ct_nifti.record import CtRecord, read_ct_record
from ct_assets.ct_nifti.volume import load_hounsfield
from ct_assets.dicom.codes import landmark_codes, region_codes
from ct_assets.provenance import Provenance
from ct_assets.store.atomic import write_text
from ct_assets.store.paths import SeriesFolder
from ct_assets.store.tables import LANDMARKS, REGIONS

logger = logging.getLogger(__name__)

BPR_JSON_VERSION = 1
"""schema_version that is added to bpreg's JSON."""

_REJECTED = "body part regression cannot take this volume"

Predict = Callable[[npt.NDArray[np.int16], npt.NDArray[np.float64]], tuple[dict[str, Any] | None, dict[str, Any]]]
"""A loaded model: CT in HU and affine in, bpreg's JSON and description out (`BpregModel.__call__`)."""


def score(folder: SeriesFolder, provenance: dict[str, Any], predict: Predict) -> BodyPartRecord:
    """Write bpr.json, landmarks.parquet, regions.parquet and bpr_record.json.

    Parameters
    ----------
    folder : SeriesFolder
        Series with ct.nii.gz.
    provenance : dict
        What is known of the model before it runs: `name`, `demonstration`.
    predict : callable
        The loaded model.

    Returns
    -------
    BodyPartRecord
        What bpr_record.json says.
    """
    record = read_ct_record(folder.ct_record)
    started = time.monotonic()
    volume, affine = load_hounsfield(folder.ct_nifti)
    result, description = predict(volume, affine)
    to_slice = _slice_of_score(len(record.slices), affine)
    scores = _scores(result, to_slice)
    located = _landmarks(result, scores, affine)
    slice_regions = _slice_regions(result, to_slice)
    landmarks = _landmark_table(located, record, affine)
    body_part_record = BodyPartRecord(
        series_instance_uid=record.series_instance_uid,
        source_digest=record.source_digest,
        provenance=Provenance(configuration="bpreg", **provenance, **description),
        valid_z_spacing=_flag(result, "valid z-spacing"),
        reverse_z_ordering=_flag(result, "reverse z-ordering"),
        lung_extent_mm=_lung_extent(located),
        slice_scores=tuple(None if np.isnan(value) else float(value) for value in scores),
        slice_regions=slice_regions,
        reason=_REJECTED if result is None else None,
        seconds=round(time.monotonic() - started, 3),
    )
    # bpreg's own file keeps bpreg's NaN literals, so that bpreg's helpers read it.
    content = {"schema_version": BPR_JSON_VERSION, **(result or {"reason": _REJECTED})}
    write_text(folder.bpr_json, json.dumps(content, indent=1) + "\n")
    LANDMARKS.write(landmarks, folder.landmarks)
    REGIONS.write(_region_table(slice_regions, record), folder.regions)
    body_part_record.write(folder.bpr_record)
    logger.info(
        "series %s: %d of %d landmarks located in %.1f s",
        record.series_instance_uid,
        int(landmarks["located"].sum()),
        len(landmarks),
        body_part_record.seconds,
    )
    return body_part_record


def _slice_of_score(slices: int, affine: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """Slice of ct.nii.gz of each bpreg score: bpreg reverses a volume whose slice axis points to the feet."""
    indices = np.arange(slices)
    return indices if affine[2, 2] > 0 else indices[::-1]


def _heights(slices: int, affine: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Position of each slice along the slice axis in mm, larger towards the head."""
    axis = affine[:3, 2] / np.linalg.norm(affine[:3, 2])
    axis = axis if axis[2] > 0 else -axis
    origins = affine[:3, 3] + np.arange(slices)[:, None] * affine[:3, 2]
    return np.asarray(origins @ axis)


def _scores(result: dict[str, Any] | None, to_slice: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Return the cleaned score of each slice of ct.nii.gz, NaN where there is none."""
    scores = np.full(len(to_slice), np.nan)
    if result is not None:
        scores[to_slice] = np.asarray(result["cleaned slice scores"], dtype=np.float64)
    return scores


def _landmarks(
    result: dict[str, Any] | None, scores: npt.NDArray[np.float64], affine: npt.NDArray[np.float64]
) -> list[Landmark]:
    if result is None:
        return [Landmark(name, float("nan"), None, None, NO_SCORES) for name in landmark_codes()]
    lookup = {name: float(entry["mean"]) for name, entry in result["look-up table"].items() if name in landmark_codes()}
    return locate_landmarks(scores, _heights(len(scores), affine), lookup)


def _landmark_table(located: list[Landmark], record: CtRecord, affine: npt.NDArray[np.float64]) -> pd.DataFrame:
    heights = _heights(len(record.slices), affine)
    positions = record.positions_mm
    rising = np.argsort(heights)
    rows = []
    for landmark in located:
        found = landmark.height_mm is not None and landmark.slice_index is not None
        rows.append(
            {
                "SeriesInstanceUID": record.series_instance_uid,
                "landmark": landmark.name,
                "code": landmark_codes()[landmark.name].site.value,
                "score": landmark.score,
                "located": found,
                "position_mm": float(np.interp(landmark.height_mm, heights[rising], positions[rising]))
                if landmark.height_mm is not None
                else None,
                "slice_index": landmark.slice_index,
                "SOPInstanceUID": record.slices[landmark.slice_index].sop_instance_uid
                if landmark.slice_index is not None
                else None,
                "reason": landmark.reason,
            }
        )
    frame = pd.DataFrame(rows, columns=list(LANDMARKS.columns))
    return frame.astype({"slice_index": "Int64", "position_mm": "float64"})


def _slice_regions(result: dict[str, Any] | None, to_slice: npt.NDArray[np.int64]) -> tuple[tuple[str, ...], ...]:
    regions: list[list[str]] = [[] for _ in to_slice]
    examined = result["body part examined"] if result else {}
    for name in region_codes():
        for index in examined.get(name, []):
            regions[int(to_slice[int(index)])].append(name)
    return tuple(tuple(names) for names in regions)


def _region_table(slice_regions: tuple[tuple[str, ...], ...], record: CtRecord) -> pd.DataFrame:
    with_region = sum(bool(names) for names in slice_regions)
    rows = []
    for name, code in region_codes().items():
        indices = [index for index, names in enumerate(slice_regions) if name in names]
        if indices:
            rows.append(
                (record.series_instance_uid, name, code.site.value, indices[0], indices[-1], len(indices),
                 len(indices) / with_region)
            )  # fmt: skip
    return pd.DataFrame(rows, columns=list(REGIONS.columns))


def _lung_extent(located: list[Landmark]) -> float | None:
    heights = {landmark.name: landmark.height_mm for landmark in located}
    bottom, top = heights.get("lung_start"), heights.get("lung_end")
    return None if bottom is None or top is None else float(top - bottom)


def _flag(result: dict[str, Any] | None, key: str) -> bool | None:
    value = float("nan") if result is None else float(result[key])
    return None if np.isnan(value) else bool(value)
