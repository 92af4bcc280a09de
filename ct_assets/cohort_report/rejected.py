"""Rows of what a reviewer rejected: left out of the figures and fences of a cohort, and listed."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime

import pandas as pd
import pyarrow as pa

from ct_assets.organs import EXPERT
from ct_assets.review.digests import Judgeable, read_judgeable
from ct_assets.review.history import Reviews, collection_reviews
from ct_assets.review.state import State, standing
from ct_assets.review.verdict import Verdict
from ct_assets.store.paths import CollectionFolder, SeriesFolder


@dataclass(frozen=True)
class RejectedRow:
    """What was left out, who rejected it, and why; an empty ``model`` or ``subject`` means all.

    ``patient_id`` is empty where the table has none; ``reviewer`` is empty and ``reviewed_at`` none where the history
    of the reviews cannot be read, as ``comment`` then says.
    """

    patient_id: str
    series_instance_uid: str
    model: str
    subject: str
    reviewer: str
    reviewed_at: datetime | None
    comment: str


def without_rejected(
    rows: pd.DataFrame,
    store: CollectionFolder,
    reviews: Reviews | None = None,
    judgeable: Callable[[SeriesFolder], Judgeable] = read_judgeable,
) -> tuple[pd.DataFrame, list[RejectedRow]]:
    """Leave out the rows of rejected series, models, and parts of what models found.

    Nothing is known of a series whose history of reviews is damaged, so it is left out too.

    Parameters
    ----------
    rows : DataFrame
        A table of many series with the columns SeriesInstanceUID, model, and subject or organ.
    store : CollectionFolder
        Results of the collection.
    reviews : Reviews, optional
        Its verdicts; default: read.
    judgeable : callable, optional
        Gives what there is in a series now, such as one that remembers it from table to table.

    Returns
    -------
    kept : DataFrame
        The other rows; the table itself where nothing is rejected.
    rejected : list of RejectedRow
        What was left out, by patient and series; a series is one row, and so is a model.
    """
    found = collection_reviews(store) if reviews is None else reviews
    concerned = found.verdicts.keys() | found.damaged.keys()
    if not concerned:
        return rows, []
    part = "subject" if "subject" in rows.columns else "organ"
    mine = rows.index[rows["SeriesInstanceUID"].isin(concerned)]
    listed: list[RejectedRow] = []
    left_out = pd.Series(data=False, index=rows.index)
    for uid, series in rows.loc[mine].groupby("SeriesInstanceUID", sort=True):
        patient = str(series["PatientID"].iloc[0]) if "PatientID" in series.columns else ""
        for model, subject, verdict, why in _rejections(store.series(str(uid)), series, part, found, judgeable):
            hit = pd.Series(data=True, index=series.index)
            if model:
                hit &= series["model"] == model
            if subject:
                hit &= series[part] == subject
            left_out[series.index[hit]] = True
            reviewer, moment = (verdict.reviewer, verdict.reviewed_at) if verdict else ("", None)
            listed.append(RejectedRow(patient, str(uid), model, subject, reviewer, moment, why))
    if not listed:
        return rows, []
    return rows[~left_out], sorted(listed, key=lambda one: (one.patient_id, one.series_instance_uid))


def _rejections(
    folder: SeriesFolder,
    series: pd.DataFrame,
    part: str,
    reviews: Reviews,
    judgeable: Callable[[SeriesFolder], Judgeable],
) -> Iterator[tuple[str, str, Verdict | None, str]]:
    """Yield model, subject, verdict and reason of what is left out of a series; what is whole is not named in parts."""
    uid = folder.series_instance_uid
    if uid in reviews.damaged:
        yield "", "", None, reviews.damaged[uid]
        return
    verdicts = reviews.verdicts[uid]
    try:
        now = judgeable(folder)
    except (OSError, ValueError, pa.ArrowException) as error:
        yield "", "", None, f"it cannot be told whether what was reviewed is there still: {error}"
        return
    whole = standing(verdicts, now)
    if whole.state is State.REJECTED and whole.verdict:
        yield "", "", whole.verdict, whole.verdict.comment
        return
    for model, rows in series[series["model"] != EXPERT].groupby("model", sort=True):
        of_model = standing(verdicts, now, str(model))
        if model and of_model.state is State.REJECTED and of_model.verdict:
            yield str(model), "", of_model.verdict, of_model.verdict.comment
            continue
        for subject in sorted(set(rows[part].astype(str)) - {""}):
            found = standing(verdicts, now, str(model) or None, subject)
            if found.state is State.REJECTED and found.verdict:
                yield str(model), subject, found.verdict, found.verdict.comment
