"""The verdicts of a collection: one file each, which is written once and then only read.

Several persons review at a time, on several machines, and it must be possible to tell later who said what when. So
nothing here changes or removes a file. Whoever reads is told of every file that is damaged: it may be a rejection.
"""

import os
import uuid
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import ValidationError

from ct_assets.review.verdict import Decision, Verdict
from ct_assets.store.atomic import atomic_path
from ct_assets.store.paths import CollectionFolder
from ct_assets.store.record import RecordError
from ct_assets.store.uid import checked_uid


class DamagedReviewError(RecordError):
    """A file in the history of reviews that is no verdict on its series; the message names it."""


@dataclass(frozen=True)
class Reviews:
    """The verdicts of a collection by SeriesInstanceUID, oldest first; ``damaged`` says of a series what is wrong.

    A series with a damaged history has no verdicts here: what it is known to be cannot be relied on.
    """

    verdicts: dict[str, tuple[Verdict, ...]] = field(default_factory=dict)
    damaged: dict[str, str] = field(default_factory=dict)


def append_verdict(store: CollectionFolder, verdict: Verdict) -> Path:
    """Write a verdict to a file of its own.

    Parameters
    ----------
    store : CollectionFolder
        The collection.
    verdict : Verdict
        The verdict.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    FileExistsError
        If there is a file of that name, which is left as it is.
    """
    moment = verdict.reviewed_at.strftime("%Y%m%dT%H%M%S.%fZ")
    path = store.reviews / checked_uid(verdict.series_instance_uid) / f"{moment}-{uuid.uuid4().hex}.json"
    if path.exists():
        message = f"{path} is there already; nothing was written"
        raise FileExistsError(message)
    with atomic_path(path) as temporary:
        temporary.write_text(verdict.model_dump_json(indent=1) + "\n", encoding="utf-8")
    return path


def series_reviews(store: CollectionFolder, series_instance_uid: str) -> tuple[Verdict, ...]:
    """Return the verdicts on a series, oldest first.

    Parameters
    ----------
    store : CollectionFolder
        The collection.
    series_instance_uid : str
        The series.

    Raises
    ------
    DamagedReviewError
        If one of the files is damaged.
    """
    folder = store.reviews / checked_uid(series_instance_uid)
    try:
        with os.scandir(folder) as listing:
            names = sorted(entry.name for entry in listing)
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise _damaged(folder, str(error)) from error
    # Hidden files are what a killed writer left of a verdict that was never given.
    found = [(name, _read(folder / name, series_instance_uid)) for name in names if not name.startswith(".")]
    # Of two at one moment, from two machines, the one that withholds is the later.
    order = {Decision.ACCEPT: 0, Decision.NEEDS_CORRECTION: 1, Decision.REJECT: 2}
    ordered = sorted(found, key=lambda one: (one[1].reviewed_at, order[one[1].verdict], one[0]))
    return tuple(verdict for _, verdict in ordered)


def collection_reviews(store: CollectionFolder) -> Reviews:
    """Return the verdicts on all series; where nothing has been reviewed, one look tells.

    Parameters
    ----------
    store : CollectionFolder
        The collection.

    Returns
    -------
    Reviews
        Verdicts, and the series whose history is damaged.

    Raises
    ------
    DamagedReviewError
        If the folder of the reviews itself cannot be read.
    """
    try:
        with os.scandir(store.reviews) as listing:
            series = sorted(entry.name for entry in listing if not entry.name.startswith("."))
    except FileNotFoundError:
        return Reviews()
    except OSError as error:
        raise _damaged(store.reviews, str(error)) from error
    reviews = Reviews()
    for uid in series:
        try:
            verdicts = series_reviews(store, uid)
        except ValueError as error:
            reviews.damaged[uid] = str(error)
        else:
            if verdicts:
                reviews.verdicts[uid] = verdicts
    return reviews


def _read(path: Path, series_instance_uid: str) -> Verdict:
    try:
        verdict = Verdict.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise _damaged(path, _first(error)) from error
    except OSError as error:
        raise _damaged(path, str(error)) from error
    if verdict.series_instance_uid != series_instance_uid:
        raise _damaged(path, f"is about series {verdict.series_instance_uid}")
    return verdict


def _first(error: ValidationError) -> str:
    problem = error.errors(include_url=False)[0]
    return ": ".join(filter(None, (".".join(map(str, problem["loc"])), problem["msg"])))


def _damaged(path: Path, reason: str) -> DamagedReviewError:
    message = (
        f"review: {path} is damaged ({reason}); until it is restored from a backup, or moved away by someone who "
        "answers for it, nothing of the series is given away"
    )
    return DamagedReviewError(message)
