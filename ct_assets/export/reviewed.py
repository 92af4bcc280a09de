"""What reviewers do not let go: a whole series, or the objects of a model or of a part of what it found."""

from collections.abc import Iterable
from dataclasses import dataclass, field

import pyarrow as pa

from ct_assets.cohort_report.queue import open_findings
from ct_assets.dicom.codes import landmark_codes, region_codes
from ct_assets.dicom_sr import landmarks, regions
from ct_assets.review.digests import Judgeable, read_judgeable
from ct_assets.review.history import Reviews
from ct_assets.review.section import when_text
from ct_assets.review.state import State, standing
from ct_assets.review.verdict import LUNG, SLICE_SCORES, Decision, Verdict, organs
from ct_assets.store.paths import SeriesFolder

_LANDMARKS_SR, _REGIONS_SR = f"sr/{landmarks.NAME}", f"sr/{regions.NAME}"


@dataclass(frozen=True)
class ReviewedSeries:
    """What the reviewers' verdicts mean for a release of a series.

    ``refusals`` say why it is not released at all; ``withheld`` maps an object, as `seg/<model>`, to the reason why it
    is left out. ``open_findings`` counts its failing findings that nobody has judged; none where that cannot be told.
    """

    refusals: tuple[str, ...] = ()
    withheld: dict[str, str] = field(default_factory=dict)
    open_findings: int | None = None


def reviewed(folder: SeriesFolder, reviews: Reviews) -> ReviewedSeries:
    """Return what the verdicts on a series mean for its release.

    Parameters
    ----------
    folder : SeriesFolder
        The series.
    reviews : Reviews
        Verdicts of the collection. A damaged history refuses the series: it may hold a rejection.
    """
    uid = folder.series_instance_uid
    if uid in reviews.damaged:
        return ReviewedSeries(
            refusals=("review: the history of the series is damaged: see ct-assets review --history",)
        )
    verdicts = reviews.verdicts.get(uid, ())
    if not verdicts:
        return ReviewedSeries(open_findings=open_findings(folder.qc_table, (), Judgeable()))
    try:
        now = read_judgeable(folder)
    except (OSError, ValueError, pa.ArrowException) as error:
        return ReviewedSeries(refusals=(f"review: it cannot be told whether what was judged is there still: {error}",))
    whole = standing(verdicts, now)
    return ReviewedSeries(
        refusals=(_reason(whole.state, whole.verdict),) if whole.withheld and whole.verdict else (),
        withheld=dict(_withheld(verdicts, now)),
        open_findings=open_findings(folder.qc_table, verdicts, now),
    )


def _withheld(verdicts: tuple[Verdict, ...], now: Judgeable) -> Iterable[tuple[str, str]]:
    for model in now.label_maps:
        reason = _why(verdicts, now, model, organs())
        if reason:
            yield f"seg/{model}", reason
            yield f"sr/{model}", reason
    if now.body_part_model is None:
        return
    for name, subjects in (
        (_LANDMARKS_SR, (*landmark_codes(), LUNG, SLICE_SCORES)),
        (_REGIONS_SR, (*region_codes(), SLICE_SCORES)),
    ):
        reason = _why(verdicts, now, now.body_part_model, subjects)
        if reason:
            yield name, reason


def _why(verdicts: tuple[Verdict, ...], now: Judgeable, model: str, subjects: Iterable[str]) -> str | None:
    """Return why what a model found is left out: because of all of it, or of the first part that is not accepted."""
    for subject in (None, *subjects):
        found = standing(verdicts, now, model, subject)
        if found.withheld and found.verdict:
            return _reason(found.state, found.verdict)
    return None


def _reason(state: State, verdict: Verdict) -> str:
    """Say why something is withheld, for a manifest that others read: who said so and in what words is not for them."""
    said = "rejected" if verdict.verdict is Decision.REJECT else "said to need correction"
    about = "" if verdict.model is None and verdict.subject is None else f" ({verdict.scope})"
    since = "; it has changed since, and nobody has reviewed it again" if state is State.REOPENED else ""
    return f"review: {said} on {when_text(verdict)}{about}{since}"
