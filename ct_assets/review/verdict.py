"""A verdict: what a person says of a series, a model or a part of what it found, and what exactly was judged."""

import unicodedata
from datetime import UTC
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import AfterValidator, AwareDatetime, Field, field_validator

from ct_assets.dicom.codes import landmark_codes, organ_codes, region_codes
from ct_assets.store.record import Record
from ct_assets.store.uid import checked_uid

REVIEWER_LENGTH = 100
"""Longest name of a reviewer in characters."""

COMMENT_LENGTH = 4000
"""Longest comment in characters."""

LUNG = "lung"
"""Subject of the lung extent: the distance between the landmarks of `LUNG_ENDS`."""

LUNG_ENDS = ("lung_start", "lung_end")
"""Landmarks that the lung extent is measured between."""

SLICE_SCORES = "slice scores"
"""Subject of what is said of all slice scores together."""

_DIRECTIONS = {*map(chr, range(0x202A, 0x202F)), *map(chr, range(0x2066, 0x206A))}  # they reorder what is shown


class Decision(StrEnum):
    """What a reviewer says."""

    ACCEPT = "accept"
    REJECT = "reject"
    NEEDS_CORRECTION = "needs correction"


def organs() -> tuple[str, ...]:
    """Return the subjects of an organ model."""
    return tuple(code.name for code in organ_codes().values())


def body_subjects() -> tuple[str, ...]:
    """Return the subjects of the body part regression: landmarks, regions, the lung extent and the slice scores."""
    return (*landmark_codes(), *region_codes(), LUNG, SLICE_SCORES)


def _reviewer(value: str) -> str:
    name = value.strip()
    if not name or len(name) > REVIEWER_LENGTH or not _printable(name, allowed=""):
        message = f"the reviewer must be a name of 1 to {REVIEWER_LENGTH} characters without control characters"
        raise ValueError(message)
    return name


def _comment(value: str) -> str:
    text = value.strip().replace("\r\n", "\n")
    if len(text) > COMMENT_LENGTH or not _printable(text, allowed="\n\t"):
        message = f"the comment may have {COMMENT_LENGTH} characters, and no control characters but line breaks"
        raise ValueError(message)
    return text


def _printable(text: str, allowed: str) -> bool:
    return all(
        one in allowed or (one not in _DIRECTIONS and unicodedata.category(one) not in {"Cc", "Cs", "Zl", "Zp"})
        for one in text
    )


class Verdict(Record):
    """One verdict, as it is kept.

    Without ``model`` it holds for all models, without ``subject`` for all organs, landmarks and regions. ``judged`` is
    the digest of every object that was judged, as `ct_assets.review.digests.Judgeable.of` gives it.
    """

    schema_version: Literal[1] = 1
    collection: str
    series_instance_uid: Annotated[str, AfterValidator(checked_uid)]
    model: str | None = Field(default=None, min_length=1)
    subject: str | None = Field(default=None, min_length=1)
    verdict: Decision
    reviewer: Annotated[str, AfterValidator(_reviewer)]
    comment: Annotated[str, AfterValidator(_comment)] = ""
    reviewed_at: AwareDatetime
    judged: dict[str, str] = Field(min_length=1)

    @field_validator("reviewed_at", mode="after")
    @classmethod
    def _in_utc(cls, value: AwareDatetime) -> AwareDatetime:
        return value.astimezone(UTC)

    @field_validator("subject", mode="after")
    @classmethod
    def _known(cls, value: str | None) -> str | None:
        if value is not None and value not in {*organs(), *body_subjects()}:
            message = f"there is no subject {value!r}; there are: {', '.join((*organs(), *body_subjects()))}"
            raise ValueError(message)
        return value

    @property
    def scope(self) -> str:
        """What it is about, in words."""
        return scope_text(self.model, self.subject)


def scope_text(model: str | None, subject: str | None) -> str:
    """Say in words what a verdict is about: the series, a model, or a part of what it found.

    Parameters
    ----------
    model, subject : str or None
        None: all.
    """
    if subject is None:
        return "the series" if model is None else model
    return f"{subject}, all models" if model is None else f"{subject} by {model}"
