"""Score the slices of one series and derive landmarks, regions and lung extent."""

import logging
import math
import time
from typing import Any

import numpy as np
import numpy.typing as npt

from ct_assets.bpr_json.bpreg_json import write_bpr_json
from ct_assets.bpr_json.curve import ScoreCurve, score_curve, slice_heights
from ct_assets.bpr_json.landmark import NO_SCORES, NOT_AXIAL, UNKNOWN_TO_MODEL, Landmark
from ct_assets.bpr_json.landmarks import locate_landmarks
from ct_assets.bpr_json.prediction import Predict
from ct_assets.bpr_json.published_landmarks import published_landmarks
from ct_assets.bpr_json.record import BodyPartRecord, Rule
from ct_assets.bpr_json.tables import landmark_table, region_table
from ct_assets.ct_nifti.record import CtRecord, read_ct_record
from ct_assets.dicom.codes import landmark_codes
from ct_assets.provenance import Provenance
from ct_assets.store.paths import SeriesFolder
from ct_assets.store.tables import LANDMARKS, REGIONS

logger = logging.getLogger(__name__)


def score(
    folder: SeriesFolder,
    volume: npt.NDArray[Any],
    affine: npt.NDArray[np.float64],
    provenance: dict[str, Any],
    predict: Predict,
    rule: Rule = "corrected",
) -> BodyPartRecord:
    """Write bpr.json, landmarks.parquet, regions.parquet and bpr_record.json.

    Parameters
    ----------
    folder : SeriesFolder
        Series with ct.nii.gz.
    volume : ndarray of int16 or float32, shape (columns, rows, slices)
        Its CT in HU.
    affine : ndarray of shape (4, 4)
        Index to RAS in mm.
    provenance : dict
        What is known of the model before it runs: `name`, `demonstration`.
    predict : callable
        The loaded model.
    rule : {"corrected", "published"}
        How landmarks are located.

    Returns
    -------
    BodyPartRecord
        What bpr_record.json says.
    """
    record = read_ct_record(folder.ct_record)
    started = time.monotonic()
    prediction = predict(volume, affine)
    slices = len(record.slices)
    result, reason = prediction.result, prediction.reason
    curve = None if result is None else score_curve(result, slices, affine)
    if result is not None and curve is None:
        reason = NOT_AXIAL
    if curve is not None and np.isfinite(curve.scores).sum() < 2:
        reason = NO_SCORES
    landmarks = _landmarks(curve, record, result, rule, reason)
    regions = curve.regions if curve else ((),) * slices
    body_part_record = BodyPartRecord(
        series_instance_uid=record.series_instance_uid,
        source_digest=record.source_digest,
        provenance=Provenance(
            configuration="bpreg",
            **provenance,
            weights_digest=prediction.weights_digest,
            software=prediction.software,
        ),
        landmark_rule=rule,
        body_part_examined=result["body part examined tag"] if result else None,
        valid_z_spacing=_flag(result, "valid z-spacing"),
        reverse_z_ordering=_flag(result, "reverse z-ordering"),
        slope_ratio=_number(result, "slope ratio"),
        expected_z_spacing_mm=_number(result, "expected z-spacing"),
        lung_extent_mm=_lung_extent(landmarks),
        slice_scores=tuple(float(value) if np.isfinite(value) else None for value in curve.scores)
        if curve
        else (None,) * slices,
        slice_regions=regions,
        reason=reason,
        seconds=round(time.monotonic() - started, 3),
    )
    write_bpr_json(prediction, slices, folder.bpr_json)
    table = landmark_table(landmarks, record, slice_heights(slices, affine))
    LANDMARKS.write(table, folder.landmarks)
    REGIONS.write(region_table(regions, record), folder.regions)
    body_part_record.write(folder.bpr_record)
    logger.info(
        "series %s: %d of %d landmarks located in %.1f s%s",
        record.series_instance_uid,
        int(table["located"].sum()),
        len(table),
        body_part_record.seconds,
        f"; {reason}" if reason else "",
    )
    return body_part_record


def _landmarks(
    curve: ScoreCurve | None, record: CtRecord, result: dict[str, Any] | None, rule: Rule, reason: str | None
) -> list[Landmark]:
    """Return all landmarks, those of the model by increasing look-up value."""
    if curve is None or result is None:
        return [Landmark(name, math.nan, reason=reason) for name in landmark_codes()]
    if rule == "published":
        found = published_landmarks(
            np.asarray(result["cleaned slice scores"], dtype=np.float64),
            float(result["valid z-spacing"]),
            curve.lookup,
            np.argsort(record.positions_mm),
            curve.heights_mm,
        )
    else:
        found = locate_landmarks(curve.scores, curve.heights_mm, curve.lookup)
    unknown = [name for name in landmark_codes() if name not in curve.lookup]
    return [*found, *(Landmark(name, math.nan, reason=UNKNOWN_TO_MODEL) for name in unknown)]


def _lung_extent(landmarks: list[Landmark]) -> float | None:
    heights = {landmark.name: landmark.height_mm for landmark in landmarks}
    bottom, top = heights.get("lung_start"), heights.get("lung_end")
    return None if bottom is None or top is None else abs(top - bottom)


def _number(result: dict[str, Any] | None, key: str) -> float | None:
    value = math.nan if result is None else float(result[key])
    return value if math.isfinite(value) else None


def _flag(result: dict[str, Any] | None, key: str) -> bool | None:
    value = _number(result, key)
    return None if value is None else bool(value)
