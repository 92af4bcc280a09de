"""All reports of a series as its tables give them now."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pandas as pd

from ct_assets.bpr_json.record import read_body_part_record
from ct_assets.collection import Collection
from ct_assets.ct_nifti.record import CtRecord, read_ct_record
from ct_assets.ct_nifti.structure import ExpertStructure
from ct_assets.dicom.series import CtSeries
from ct_assets.dicom.written import PlannedObject, read_objects
from ct_assets.dicom_sr.features import StaleFeaturesError, plan_features_sr
from ct_assets.dicom_sr.landmarks import plan_landmarks_sr
from ct_assets.dicom_sr.regions import plan_regions_sr
from ct_assets.dicom_sr.segments import NO_SEGMENTS, expert_segments, model_segments
from ct_assets.organ_seg.record import read_label_map_record
from ct_assets.organs import EXPERT
from ct_assets.provenance import Provenance
from ct_assets.store.paths import SeriesFolder
from ct_assets.store.tables import LANDMARKS, SHAPE_FEATURES

EXPERT_PROVENANCE = Provenance(
    name="manual segmentation", configuration=EXPERT, weights_digest="", software="", demonstration=False
)
"""Provenance of what an expert drew: no model."""


def plan_reports(
    series: Callable[[], CtSeries],
    folder: SeriesFolder,
    collection: Collection,
    expert: Mapping[str, ExpertStructure],
) -> list[PlannedObject]:
    """Plan the reports of a series: shape features of each model and of the expert, landmarks, regions.

    Parameters
    ----------
    series : callable
        Gives the CT series, when a report is written.
    folder : SeriesFolder
        The series; its SEGs are there.
    collection : Collection
        Its models and compatibility.
    expert : mapping of str to ExpertStructure
        What an expert drew in it; none: no report of it.

    Raises
    ------
    FileNotFoundError, RecordError, ValueError
        If an earlier asset has not been materialized, or is damaged or of another version.
    MismatchedSegmentationError, StaleFeaturesError
        If a SEG is not the one of this series, or if it or an RTSTRUCT is not what the features were measured on.
    """
    record = read_ct_record(folder.ct_record)
    features, landmarks = SHAPE_FEATURES.read(folder.shape_features), LANDMARKS.read(folder.landmarks)
    body_part = read_body_part_record(folder.bpr_record)
    written = read_objects(folder.seg_objects)
    planned = []
    for model in collection.models:
        made, seg, target = (
            read_label_map_record(folder.label_map_record(model)),
            folder.seg(model),
            folder.features_sr(model),
        )
        segments = model_segments(seg, record, made.label_map_digest, written.get(model))
        planned.append(plan_features_sr(series, record, features, segments, made.provenance, target))
    measured = features[features["model"] == EXPERT]
    if expert or len(measured):
        planned.append(_plan_expert(series, record, measured, expert, folder.features_sr(EXPERT)))
    scored, compatibility = body_part.provenance, collection.compatibility
    planned.append(plan_landmarks_sr(series, record, landmarks, scored, folder.landmarks_sr, compatibility))
    regions = body_part.slice_regions
    planned.append(plan_regions_sr(series, record, regions, scored, folder.regions_sr, compatibility))
    return planned


def _plan_expert(
    series: Callable[[], CtSeries],
    record: CtRecord,
    measured: pd.DataFrame,
    expert: Mapping[str, ExpertStructure],
    target: Path,
) -> PlannedObject:
    """Plan the report of an expert; without segments there is none, and still the features must be of what is there."""
    segments = expert_segments(expert)
    if not any(structure.rois for structure in expert.values()):
        return plan_features_sr(series, record, measured, segments, EXPERT_PROVENANCE, target)
    digests = {organ: structure.digest for organ, structure in expert.items() if structure.rois}
    from_rois = measured[measured["organ"].isin(list(digests))]
    if not from_rois["segmentation"].eq(from_rois["organ"].map(digests)).all():
        message = (
            f"series {record.series_instance_uid}: the shape features of the expert were measured on another RTSTRUCT "
            "than there is now; materialize shape_features again"
        )
        raise StaleFeaturesError(message)
    return plan_features_sr(series, record, measured, segments, EXPERT_PROVENANCE, target, NO_SEGMENTS)
