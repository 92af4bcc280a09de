"""Recording a verdict: checked against what there is, bound to it by digests, and appended to the history."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from pydantic import ValidationError

from ct_assets.review.digests import Judgeable, read_judgeable
from ct_assets.review.history import DamagedReviewError, append_verdict, series_reviews
from ct_assets.review.verdict import Decision, Verdict, body_subjects, organs
from ct_assets.store.paths import CollectionFolder, SeriesFolder
from ct_assets.store.uid import is_uid

_NAMED = 5


class ReviewError(ValueError):
    """A verdict that cannot be recorded; the message names what is allowed."""


@dataclass(frozen=True)
class Opinion:
    """What a person says; an empty ``model`` or ``subject`` means all."""

    verdict: Decision
    reviewer: str
    model: str = ""
    subject: str = ""
    comment: str = ""


def record_verdict(
    store: CollectionFolder, collection: str, series_instance_uid: str, opinion: Opinion, now: datetime | None = None
) -> Verdict:
    """Append a verdict on a series, or on a part of it, as it is now.

    Parameters
    ----------
    store : CollectionFolder
        Results of the collection.
    collection : str
        Its name.
    series_instance_uid : str
        The series.
    opinion : Opinion
        What is said, by whom, and of what.
    now : datetime, optional
        Moment; default: the present one.

    Returns
    -------
    Verdict
        As it was written.

    Raises
    ------
    ReviewError
        If there is no such series, model or subject, or the reviewer or the comment cannot be kept.
    RecordError, ValueError, OSError
        If what is to be judged is damaged.
    """
    folder = _series(store, collection, series_instance_uid)
    present = read_judgeable(folder)
    model, subject = opinion.model.strip() or None, opinion.subject.strip() or None
    _check_scope(present, series_instance_uid, model, subject)
    judged = present.of(model, subject)
    if not judged:
        missing = "bpr_json" if subject in body_subjects() else "organ_seg"
        message = f"series {series_instance_uid} has nothing yet that could be judged; materialize {missing} first"
        raise ReviewError(message)
    try:
        verdict = Verdict(
            collection=collection,
            series_instance_uid=series_instance_uid,
            model=model,
            subject=subject,
            verdict=opinion.verdict,
            reviewer=opinion.reviewer,
            comment=opinion.comment,
            reviewed_at=_moment(store, series_instance_uid, now or datetime.now(UTC)),
            judged=judged,
        )
    except ValidationError as error:
        message = "; ".join(problem["msg"].removeprefix("Value error, ") for problem in error.errors())
        raise ReviewError(message) from error
    append_verdict(store, verdict)
    return verdict


def _moment(store: CollectionFolder, uid: str, now: datetime) -> datetime:
    """Return a moment after every verdict that is there: clocks of machines differ, and the latest counts."""
    try:
        given = series_reviews(store, uid)
    except DamagedReviewError:
        return now  # what is damaged withholds the series, whatever is said of it
    return max(now, given[-1].reviewed_at + timedelta(microseconds=1)) if given else now


def _series(store: CollectionFolder, collection: str, uid: str) -> SeriesFolder:
    if is_uid(uid):
        folder = store.series(uid)
        if folder.path.is_dir():
            return folder
    there = [folder.series_instance_uid for folder in store.all_series()]
    message = f"collection {collection} has no results of a series {uid[:80]!r}; it has those of {_some(there)}"
    raise ReviewError(message)


def _some(names: Sequence[str]) -> str:
    if not names:
        return "none: annotate it first"
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more


def _check_scope(present: Judgeable, uid: str, model: str | None, subject: str | None) -> None:
    if model is not None and model not in present.models:
        message = f"series {uid} has nothing by a model {model!r}; there is: {', '.join(present.models) or 'none yet'}"
        raise ReviewError(message)
    allowed = (*organs(), *body_subjects())
    if model is not None:
        allowed = organs() if model in present.label_maps else body_subjects()
    if subject is not None and subject not in allowed:
        about = f"model {model} has" if model else "there is"
        message = f"{about} no subject {subject!r}; allowed: {', '.join(allowed)}"
        raise ReviewError(message)
