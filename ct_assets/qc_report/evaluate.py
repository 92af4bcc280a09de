"""All metrics of one series, measured, and judged by the limits in force."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pandas as pd

from ct_assets.organs import EXPERT, LUNGS, ORGANS, Organ
from ct_assets.qc_report.finding import Finding, SeriesIdentity, to_table
from ct_assets.qc_report.inputs import SeriesInputs
from ct_assets.qc_report.judge import judged
from ct_assets.qc_report.limits import LimitsInForce
from ct_assets.qc_report.metrics import compare_masks
from ct_assets.qc_report.rule import Outcome
from ct_assets.store.tables import DISTRIBUTIONS


def evaluate(inputs: SeriesInputs, cohort: pd.DataFrame | None = None) -> pd.DataFrame:
    """Measure and judge one series.

    Parameters
    ----------
    inputs : SeriesInputs
        The series, loaded.
    cohort : DataFrame, optional
        Distributions of its cohort (`ct_assets.store.tables.DISTRIBUTIONS`), for ranges that follow from it.

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
        _lung_extent(inputs),
        *_lung_ends_against_expert(inputs),
        *_region_ratios(inputs),
        _slope_ratio(inputs),
    ]
    identity = SeriesIdentity(
        inputs.collection.name, record.patient_id, record.study_instance_uid, record.series_instance_uid
    )
    settings = inputs.collection.qc
    limits = LimitsInForce(settings, DISTRIBUTIONS.empty() if cohort is None else cohort)
    return judged(to_table(findings, identity), limits, settings.largest_region)


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
            if comparison is None:
                outcome = Outcome.NOT_EVALUATED if reason else Outcome.NOT_MEASURABLE
                explanation = reason or "nothing segmented"
                for metric, unit in (("dice", "1"), ("hd95_volumetric", "mm")):
                    yield Finding(
                        metric=metric, value=None, unit=unit, subject=organ, model=model, outcome=outcome,
                        explanation=explanation,
                    )  # fmt: skip
                continue
            yield Finding(metric="dice", value=comparison.dice, unit="1", subject=organ, model=model)
            for metric in ("hausdorff", "hd95_volumetric", "hd95_surface"):
                value = float(getattr(comparison, metric))
                yield Finding(metric=metric, value=value, unit="mm", subject=organ, model=model)


def _why_no_expert(inputs: SeriesInputs, organ: str) -> str:
    if inputs.expert is None:
        return "the series has no expert segmentation"
    return f"the expert did not segment the {organ}"


def _sphericities(inputs: SeriesInputs) -> Iterator[Finding]:
    """Sphericity from the shape features; the expert's only where there is one."""
    features = inputs.features[inputs.features["feature"] == "Sphericity"]
    for model in (*inputs.label_maps, EXPERT):
        for organ in ORGANS.values():
            rows = features[(features["model"] == model) & (features["organ"] == organ)]
            if rows.empty and model == EXPERT:
                continue
            value, outcome, reason = None, None, ""
            if rows.empty:
                outcome, reason = Outcome.NOT_EVALUATED, f"no shape features of {organ} by {model}"
            elif pd.isna(rows["value"].iloc[0]):
                outcome, reason = Outcome.NOT_MEASURABLE, str(rows["reason"].iloc[0] or "no value")
            else:
                value = float(rows["value"].iloc[0])
            yield Finding(
                metric="sphericity", value=value, unit="1", subject=organ, model=model, outcome=outcome,
                explanation=reason,
            )  # fmt: skip


def _organs(inputs: SeriesInputs) -> Iterator[Finding]:
    """Voxels and volume of every organ of every model, and the volume of the expert's."""
    voxel_ml = float(np.prod(inputs.spacing_mm)) / 1000
    for model, label_map in inputs.label_maps.items():
        counts = np.bincount(label_map.ravel(), minlength=max(ORGANS) + 1)
        for label, organ in ORGANS.items():
            voxels = int(counts[label])
            yield Finding(metric="voxels", value=voxels, unit="{voxels}", subject=organ, model=model)
            yield _volume(model, organ, voxels, voxel_ml)
    for name, mask in (inputs.expert or {}).items():
        yield _volume(EXPERT, name, int(np.count_nonzero(mask)), voxel_ml)


def _volume(model: str, subject: str, voxels: int, voxel_ml: float) -> Finding:
    """Volume of an organ; of one that is missing there is none to judge."""
    if not voxels:
        return Finding(
            metric="volume", value=None, unit="mL", subject=subject, model=model, outcome=Outcome.NOT_MEASURABLE,
            explanation="no voxels",
        )  # fmt: skip
    return Finding(metric="volume", value=voxels * voxel_ml, unit="mL", subject=subject, model=model)


def _lung_extent(inputs: SeriesInputs) -> Finding:
    extent = inputs.body_part.lung_extent_mm
    return _of_body_part(inputs, "lung_extent", extent, "mm", "lung", _why_no_extent(inputs) if extent is None else "")


def _slope_ratio(inputs: SeriesInputs) -> Finding:
    ratio = inputs.body_part.slope_ratio
    why = inputs.body_part.reason or "too few slices have a score"
    return _of_body_part(inputs, "slope_ratio", ratio, "1", "slice scores", why)


def _of_body_part(
    inputs: SeriesInputs, metric: str, value: float | None, unit: str, subject: str, why_not: str
) -> Finding:
    """Return a finding of body part regression; without a value it is not measurable, for a reason."""
    return Finding(
        metric=metric,
        value=value,
        unit=unit,
        subject=subject,
        model=inputs.body_part.provenance.name,
        outcome=Outcome.NOT_MEASURABLE if value is None else None,
        explanation=why_not if value is None else "",
    )


def _why_no_extent(inputs: SeriesInputs) -> str:
    if inputs.body_part.reason:
        return inputs.body_part.reason
    reasons = [_why_not_located(inputs.landmarks, end) for end in ("lung_start", "lung_end")]
    return "; ".join(reason for reason in reasons if reason) or "no extent recorded"


def _why_not_located(landmarks: pd.DataFrame, landmark: str) -> str | None:
    """Return why a landmark is not located, None where it is."""
    rows = landmarks[landmarks["landmark"] == landmark]
    if not rows.empty and bool(rows["located"].iloc[0]):
        return None
    reason = rows["reason"].iloc[0] if not rows.empty else None
    return f"{landmark} not located" + (f": {reason}" if reason else "")


def _lung_ends_against_expert(inputs: SeriesInputs) -> Iterator[Finding]:
    """Distance along the normal from each lung landmark to the expert's last slice with lung (paper, figure 7)."""
    if inputs.collection.expert is None or not inputs.collection.expert.lungs:
        return
    lungs = (inputs.expert or {}).get(LUNGS)
    drawn = lungs is not None and lungs.any()
    ends = _lung_ends_mm(inputs, lungs) if lungs is not None and drawn else (None, None)
    for landmark, position in zip(("lung_start", "lung_end"), ends, strict=True):
        missing = _why_not_located(inputs.landmarks, landmark)
        value, outcome, reason = None, Outcome.NOT_EVALUATED, "the expert did not segment the lungs"
        if position is not None and missing is not None:
            outcome, reason = Outcome.NOT_MEASURABLE, missing
        elif position is not None:
            rows = inputs.landmarks[inputs.landmarks["landmark"] == landmark]
            value = abs(float(rows["position_mm"].iloc[0]) - position)
        yield Finding(
            metric="expert_difference",
            value=value,
            unit="mm",
            subject=landmark,
            model=inputs.body_part.provenance.name,
            outcome=outcome if value is None else None,
            explanation=reason if value is None else "",
        )


def _lung_ends_mm(inputs: SeriesInputs, lungs: npt.NDArray[np.bool_]) -> tuple[float, float]:
    """Positions of the lowest and the highest slice with lung; which end is low follows from the affine."""
    slices = np.flatnonzero(lungs.any(axis=(0, 1)))
    ends = inputs.record.positions_mm[slices[[0, -1]]]
    bottom, top = ends if inputs.affine[2, 2] >= 0 else ends[::-1]
    return float(bottom), float(top)


def _region_ratios(inputs: SeriesInputs) -> Iterator[Finding]:
    """Share of slices of each region, and of the region that the collection is of even where it has none."""
    ratios = {str(row.region): float(str(row.ratio)) for row in inputs.regions.itertuples(index=False)}
    expected = inputs.collection.qc.largest_region
    for region, ratio in ratios.items():
        yield _of_body_part(inputs, "region_ratio", ratio, "1", region, "")
    if expected is not None and ratios and expected not in ratios:
        yield _of_body_part(inputs, "region_ratio", 0.0, "1", expected, "")
    elif expected is not None and not ratios:
        why = inputs.body_part.reason or "no slice has a region"
        yield _of_body_part(inputs, "region_ratio", None, "1", expected, why)
