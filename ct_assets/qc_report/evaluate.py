"""All metrics of one series, judged by the rules where there is one."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pandas as pd

from ct_assets.collection import EXPERT, LUNGS, ORGANS, Organ
from ct_assets.qc_report.finding import Finding, SeriesIdentity, to_table
from ct_assets.qc_report.inputs import SeriesInputs
from ct_assets.qc_report.metrics import compare_masks
from ct_assets.qc_report.rules import (
    dice_rule,
    lung_extent_rule,
    organ_missing_rule,
    sphericity_rule,
    why_not_located,
)


def evaluate(inputs: SeriesInputs) -> pd.DataFrame:
    """Measure and judge one series.

    Parameters
    ----------
    inputs : SeriesInputs
        The series, loaded.

    Returns
    -------
    DataFrame
        Columns of `ct_assets.store.tables.QC`, one row per metric.
    """
    record = inputs.record
    findings = [
        *_against_expert(inputs),
        *_sphericities(inputs),
        *_organs(inputs),
        lung_extent_rule(inputs.body_part, inputs.landmarks, inputs.collection.qc),
        *_lung_ends_against_expert(inputs),
        *_region_ratios(inputs),
    ]
    identity = SeriesIdentity(
        inputs.collection.name, record.patient_id, record.study_instance_uid, record.series_instance_uid
    )
    return to_table(findings, identity)


def _against_expert(inputs: SeriesInputs) -> Iterator[Finding]:
    """Dice and distances of every organ that the collection expects of its experts."""
    settings = inputs.collection.expert
    structures: list[Organ] = [organ for organ in ORGANS.values() if settings and organ in settings.structures]
    for organ in structures:
        label = next(label for label, name in ORGANS.items() if name == organ)
        expert = (inputs.expert or {}).get(organ)
        reason = "" if expert is not None and expert.any() else _why_no_expert(inputs, organ)
        for model, label_map in inputs.label_maps.items():
            comparison = None
            if expert is not None and not reason:
                comparison = compare_masks(label_map == label, expert, inputs.spacing_mm)
            yield dice_rule(model, organ, comparison, inputs.collection.qc, reason=reason)
            if comparison is not None:
                for metric in ("hausdorff", "hd95_volumetric", "hd95_surface"):
                    value = float(getattr(comparison, metric))
                    yield Finding(metric=metric, value=value, unit="mm", subject=organ, model=model)


def _why_no_expert(inputs: SeriesInputs, organ: str) -> str:
    if inputs.expert is None:
        return "the series has no expert segmentation"
    return f"the expert did not segment the {organ}"


def _sphericities(inputs: SeriesInputs) -> Iterator[Finding]:
    for model in (*inputs.label_maps, EXPERT):
        for organ in ORGANS.values():
            finding = sphericity_rule(inputs.features, model, organ, inputs.collection.qc)
            if finding is not None:
                yield finding


def _organs(inputs: SeriesInputs) -> Iterator[Finding]:
    """Presence and volume of every organ of every model, and the volume of the expert's."""
    voxel_ml = float(np.prod(inputs.spacing_mm)) / 1000
    for model, label_map in inputs.label_maps.items():
        for presence in organ_missing_rule(model, label_map):
            yield presence
            yield _volume(model, presence.subject, presence.value or 0, voxel_ml)
    for name, mask in (inputs.expert or {}).items():
        yield _volume(EXPERT, name, float(np.count_nonzero(mask)), voxel_ml)


def _volume(model: str, subject: str, voxels: float, voxel_ml: float) -> Finding:
    return Finding(metric="volume", value=voxels * voxel_ml, unit="mL", subject=subject, model=model)


def _lung_ends_against_expert(inputs: SeriesInputs) -> Iterator[Finding]:
    """Distance along the normal from each lung landmark to the expert's last slice with lung (paper, figure 7)."""
    lungs = (inputs.expert or {}).get(LUNGS)
    if lungs is None or not lungs.any():
        return
    for landmark, position in zip(("lung_start", "lung_end"), _lung_ends_mm(inputs, lungs), strict=True):
        missing = why_not_located(inputs.landmarks, landmark)
        value = None
        if missing is None:
            rows = inputs.landmarks[inputs.landmarks["landmark"] == landmark]
            value = abs(float(rows["position_mm"].iloc[0]) - position)
        yield Finding(
            metric="expert_difference",
            value=value,
            unit="mm",
            subject=landmark,
            model=inputs.body_part.provenance.name,
            explanation=missing or "",
        )


def _lung_ends_mm(inputs: SeriesInputs, lungs: npt.NDArray[np.bool_]) -> tuple[float, float]:
    """Positions of the lowest and the highest slice with lung; which end is low follows from the affine."""
    slices = np.flatnonzero(lungs.any(axis=(0, 1)))
    ends = inputs.record.positions_mm[slices[[0, -1]]]
    bottom, top = ends if inputs.affine[2, 2] >= 0 else ends[::-1]
    return float(bottom), float(top)


def _region_ratios(inputs: SeriesInputs) -> Iterator[Finding]:
    for row in inputs.regions.itertuples(index=False):
        yield Finding(
            metric="region_ratio",
            value=float(str(row.ratio)),
            unit="1",
            subject=str(row.region),
            model=inputs.body_part.provenance.name,
        )
