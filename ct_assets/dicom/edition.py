"""Editions of an object: what determines its bytes, and so its UIDs, and which document it replaces."""

from dataclasses import dataclass

import pydicom
from pydantic import BaseModel, ConfigDict

from ct_assets.dicom.uids import IMPLEMENTATION_VERSION, derived_uid
from ct_assets.provenance import Provenance
from ct_assets.store.digest import combined_digest, json_digest


class ObjectReference(BaseModel):
    """The UIDs by which one DICOM object refers to another."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    sop_class_uid: str
    sop_instance_uid: str
    series_instance_uid: str
    study_instance_uid: str


class SignOff(BaseModel):
    """Who answers for the content of a report, and since when (PS3.3 C.17.2, Verifying Observer Sequence).

    ``person`` is a name of VR PN, ``moment`` a date and time of VR DT.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    person: str
    organization: str
    moment: str


@dataclass(frozen=True)
class Edition:
    """One edition of an object; equal editions have equal UIDs and equal bytes.

    ``role`` says what kind of object it is, ``content`` is the digest of everything that it says, ``software`` what
    writes it. ``predecessor`` is the document that it replaces.
    """

    role: str
    content: str
    software: tuple[str, ...]
    predecessor: ObjectReference | None = None
    sign_off: SignOff | None = None

    def uid(self, subject: str, *part: str) -> str:
        """Return the UID of something in this edition.

        Parameters
        ----------
        subject : str
            What the UID is for, such as "instance".
        *part : str
            Which one, where there are several.
        """
        before = self.predecessor.sop_instance_uid if self.predecessor else ""
        signed = self.sign_off.model_dump_json() if self.sign_off else ""
        return derived_uid(f"{self.role} {subject}", self.content, *self.software, before, signed, *part)

    @property
    def sop_instance_uid(self) -> str:
        """SOPInstanceUID of the object."""
        return self.uid("instance")

    @property
    def series_instance_uid(self) -> str:
        """SeriesInstanceUID of the object: each has a series of its own."""
        return self.uid("series")


def content_digest(source_digest: str, provenance: Provenance, *content: str) -> str:
    """Return the digest of everything that an object says, and of the version of the writers.

    Parameters
    ----------
    source_digest : str
        Digest of the source instances.
    provenance : Provenance
        How its content was made.
    *content : str
        Digests of the content itself and of every setting that shows in it.
    """
    return combined_digest(
        [IMPLEMENTATION_VERSION, source_digest, json_digest(provenance.model_dump(mode="json")), *content]
    )


def reference_of(dataset: pydicom.Dataset) -> ObjectReference:
    """Return the UIDs of an object.

    Parameters
    ----------
    dataset : Dataset
        The object, or its header.
    """
    return ObjectReference(
        sop_class_uid=str(dataset.SOPClassUID),
        sop_instance_uid=str(dataset.SOPInstanceUID),
        series_instance_uid=str(dataset.SeriesInstanceUID),
        study_instance_uid=str(dataset.StudyInstanceUID),
    )
