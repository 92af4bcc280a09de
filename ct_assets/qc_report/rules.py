"""The rules: each judges one kind of metric against limits of the collection, and says in words what it found."""

import numpy as np
import numpy.typing as npt
import pandas as pd

from ct_assets.bpr_json.record import BodyPartRecord
from ct_assets.collection import EXPERT, ORGANS, Organ, QualityControl
from ct_assets.qc_report.finding import Finding, Outcome, Rule
from ct_assets.qc_report.metrics import MaskComparison


def judge(value: float, lower: float | None = None, upper: float | None = None) -> Outcome:
    """Return pass where a value lies within limits that both belong to the allowed range.

    Parameters
    ----------
    value : float
        Metric.
    lower, upper : float, optional
        Limits; none: unlimited on that side.

    Returns
    -------
    Outcome
        Pass or fail.
    """
    inside = (lower is None or value >= lower) and (upper is None or value <= upper)
    return Outcome.PASS if inside else Outcome.FAIL


def dice_rule(
    model: str, organ: Organ, comparison: MaskComparison | None, qc: QualityControl, *, reason: str = ""
) -> Finding:
    """Judge the Dice coefficient of a model's organ against the expert's.

    Source: Krishnaswamy et al., Sci Data 2024, figure 4; the default minimum is the 5th percentile of the published
    3d_fullres results (heart 0.78 of 122, esophagus 0.60 of 347 series). An organ without a minimum has the metric
    and no outcome.

    Parameters
    ----------
    model : str
        Name of the label map.
    organ : str
        Organ.
    comparison : MaskComparison or None
        None where there is nothing to compare.
    qc : QualityControl
        Limits of the collection.
    reason : str, optional
        Why there is nothing to compare; without it the model's organ is empty, hence not measurable.

    Returns
    -------
    Finding
        Metric ``dice``.
    """
    minimum = qc.dice_minimum.get(organ)
    row = _Row(Rule.DICE if minimum is not None else None, model, organ, "dice", "1", minimum, None)
    if comparison is None:
        outcome = Outcome.NOT_EVALUATED if reason else Outcome.NOT_MEASURABLE
        return row.without_value(outcome, reason or "nothing segmented")
    return row.judged(comparison.dice)


def sphericity_rule(features: pd.DataFrame, model: str, organ: Organ, qc: QualityControl) -> Finding | None:
    """Judge the sphericity of an organ.

    Source: Krishnaswamy et al., Sci Data 2024, figures 5 and 6: leaks and fragments lower the sphericity of an organ;
    the default ranges surround the published 3d_fullres distributions of NLST (n = 1,039). The expert's organ has the
    metric and no outcome.

    Parameters
    ----------
    features : DataFrame
        Shape features of the series (`ct_assets.store.tables.SHAPE_FEATURES`).
    model : str
        Model in that table, or ``expert``.
    organ : str
        Organ.
    qc : QualityControl
        Limits of the collection.

    Returns
    -------
    Finding or None
        Metric ``sphericity``; None where the table has no row and no rule asks for it.
    """
    limits = qc.sphericity.get(organ) if model != EXPERT else None
    row = _Row(Rule.SPHERICITY if limits else None, model, organ, "sphericity", "1", *(limits or (None, None)))
    rows = features[(features["model"] == model) & (features["organ"] == organ) & (features["feature"] == "Sphericity")]
    if rows.empty:
        return row.without_value(Outcome.NOT_EVALUATED, f"no shape features of {organ} by {model}") if limits else None
    value = rows["value"].iloc[0]
    if pd.isna(value):
        return row.without_value(Outcome.NOT_MEASURABLE, str(rows["reason"].iloc[0] or "no value"))
    return row.judged(float(value))


def lung_extent_rule(body_part: BodyPartRecord, landmarks: pd.DataFrame, qc: QualityControl) -> Finding:
    """Judge the distance from lung_start to lung_end.

    Source: Krishnaswamy et al., Sci Data 2024, figure 8; the default range is that of the 655 NLST series where both
    ends were found (217.5 to 327.5 mm). A scan that does not hold both ends of the lungs is not measurable: that is
    no failure of the model.

    Parameters
    ----------
    body_part : BodyPartRecord
        Findings of body part regression, with the extent.
    landmarks : DataFrame
        Landmarks of the series (`ct_assets.store.tables.LANDMARKS`), for the reasons.
    qc : QualityControl
        Limits of the collection.

    Returns
    -------
    Finding
        Metric ``lung_extent`` in mm.
    """
    row = _Row(Rule.LUNG_EXTENT, body_part.provenance.name, "lung", "lung_extent", "mm", *qc.lung_extent_mm)
    if body_part.lung_extent_mm is None:
        return row.without_value(Outcome.NOT_MEASURABLE, _why_no_extent(body_part, landmarks))
    return row.judged(body_part.lung_extent_mm)


def organ_missing_rule(model: str, label_map: npt.NDArray[np.uint8]) -> list[Finding]:
    """Judge whether a label map has every organ.

    Source: facts of the published pipeline, defect D9: where an organ was missing, the later organs took its name.
    Every chest CT shows part of all four organs, so an empty one asks for review.

    Parameters
    ----------
    model : str
        Name of the label map.
    label_map : ndarray of uint8, shape (columns, rows, slices)
        Labels.

    Returns
    -------
    list of Finding
        Metric ``voxels``, one per organ.
    """
    counts = np.bincount(label_map.ravel(), minlength=max(ORGANS) + 1)
    rows = {
        label: _Row(Rule.ORGAN_MISSING, model, organ, "voxels", "{voxels}", 1.0, None)
        for label, organ in ORGANS.items()
    }
    return [row.judged(float(counts[label]), "no voxels") for label, row in rows.items()]


class _Row:
    """What a finding has before its value is known."""

    def __init__(
        self,
        rule: Rule | None,
        model: str,
        subject: str,
        metric: str,
        unit: str,
        lower: float | None,
        upper: float | None,
    ) -> None:
        self.rule, self.model, self.subject, self.metric, self.unit = rule, model, subject, metric, unit
        self.lower, self.upper = lower, upper

    def judged(self, value: float, failure: str = "") -> Finding:
        outcome = judge(value, self.lower, self.upper) if self.rule else None
        if outcome is not Outcome.FAIL:
            return self._finding(value, outcome, "")
        low = self.lower is not None and value < self.lower
        comparison = f"{value:.4g} is {'below' if low else 'above'} {self.lower if low else self.upper:g}"
        return self._finding(value, outcome, failure or comparison)

    def without_value(self, outcome: Outcome, reason: str) -> Finding:
        return self._finding(None, outcome if self.rule else None, reason)

    def _finding(self, value: float | None, outcome: Outcome | None, explanation: str) -> Finding:
        return Finding(
            metric=self.metric,
            value=value,
            unit=self.unit,
            subject=self.subject,
            model=self.model,
            rule=self.rule,
            lower=self.lower,
            upper=self.upper,
            outcome=outcome,
            explanation=explanation,
        )


def why_not_located(landmarks: pd.DataFrame, landmark: str) -> str | None:
    """Return why a landmark is not located, None where it is.

    Parameters
    ----------
    landmarks : DataFrame
        Landmarks of the series (`ct_assets.store.tables.LANDMARKS`).
    landmark : str
        Name of bpreg.
    """
    rows = landmarks[landmarks["landmark"] == landmark]
    if not rows.empty and bool(rows["located"].iloc[0]):
        return None
    reason = rows["reason"].iloc[0] if not rows.empty else None
    return f"{landmark} not located" + (f": {reason}" if reason else "")


def _why_no_extent(body_part: BodyPartRecord, landmarks: pd.DataFrame) -> str:
    if body_part.reason:
        return body_part.reason
    reasons = [why_not_located(landmarks, end) for end in ("lung_start", "lung_end")]
    return "; ".join(reason for reason in reasons if reason) or "no extent recorded"
