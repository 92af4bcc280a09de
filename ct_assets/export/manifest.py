"""manifest.json of a release: its files with checksums, licence and source, and what is left out."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

from ct_assets.dicom.edition import SignOff
from ct_assets.store.record import Record


class ReleasedObject(BaseModel):
    """One DICOM object. ``replaces``: SOPInstanceUIDs of its earlier editions, the latest first."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    file: str
    SOPClassUID: str
    SOPInstanceUID: str
    SeriesInstanceUID: str
    bytes: int
    sha256: str
    replaces: tuple[str, ...]
    verified_by: SignOff | None


class ReleasedSeries(BaseModel):
    """The objects of one CT series, and why others are not there.

    ``unreviewed_findings`` counts its failing findings that no reviewer has judged as they are now; it is none where
    the series has no quality control that can be read.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    PatientID: str
    StudyInstanceUID: str
    SeriesInstanceUID: str
    objects: tuple[ReleasedObject, ...]
    absent: dict[str, str]
    unreviewed_findings: int | None


class ReleasedTable(BaseModel):
    """One table over all series of the release."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    file: str
    rows: int
    bytes: int
    sha256: str


class Release(Record):
    """Content of manifest.json.

    ``source_doi`` and ``citation`` are those of the images; ``refused`` says of every series that is not in the
    release why, ``unfit`` why a series was not annotated at all.
    """

    schema_version: Literal[2] = 2
    collection: str
    title: str
    notice: str | None
    licence: str
    attribution: str
    source_doi: str | None
    citation: str | None
    software: tuple[str, ...]
    series: tuple[ReleasedSeries, ...]
    tables: tuple[ReleasedTable, ...]
    refused: dict[str, tuple[str, ...]]
    unfit: dict[str, tuple[str, ...]]
