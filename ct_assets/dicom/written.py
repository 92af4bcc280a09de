"""What was written of a series and from what: which object is stale, and which document a new one replaces."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pydicom
from pydantic import BaseModel, ConfigDict, Field

from ct_assets.dicom.authorship import save
from ct_assets.dicom.edition import Edition, ObjectReference, SignOff, reference_of
from ct_assets.store.digest import file_digest
from ct_assets.store.record import Record, RecordError

logger = logging.getLogger(__name__)


class NothingWrittenError(LookupError):
    """An object that is not there; the message says what to materialize."""


class WrittenObject(BaseModel):
    """One object as it was written, or the reason why there is none (``absent``).

    ``file`` is its name beside the record, ``content`` the digest of what it says; ``replaces`` has the
    SOPInstanceUIDs of its earlier editions, the latest first; ``predecessor`` is the one that the object itself names,
    or will name when it is there again.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    file: str = Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$")
    content: str
    reference: ObjectReference | None = None
    sha256: str | None = None
    predecessor: ObjectReference | None = None
    sign_off: SignOff | None = None
    replaces: tuple[str, ...] = ()
    absent: str | None = None


class ObjectsRecord(Record):
    """Content of seg/objects.json and sr/objects.json: the objects of a series by name."""

    schema_version: Literal[1] = 1
    objects: dict[str, WrittenObject]


@dataclass(frozen=True)
class PlannedObject:
    """An object as the inputs of now give it; ``absent`` says why they give none.

    ``content`` is the digest of what it says, ``software`` what writes it. ``names_predecessor``: it is a document,
    which names the one it replaces. ``build`` makes the object of an edition.
    """

    role: str
    name: str
    target: Path
    content: str
    software: tuple[str, ...]
    build: Callable[[Edition], pydicom.Dataset]
    names_predecessor: bool = False
    deflate: bool = False
    absent: str | None = None

    @property
    def outcome(self) -> str:
        """The file, or why there is none."""
        return str(self.target) if self.absent is None else f"none: {self.absent}"


def read_objects(path: Path) -> dict[str, WrittenObject]:
    """Return the objects of a record by name; none where there is no sound record yet.

    Parameters
    ----------
    path : Path
        seg/objects.json or sr/objects.json.
    """
    try:
        return ObjectsRecord.read(path, f"dicom_{path.parent.name}").objects
    except FileNotFoundError:
        return {}
    except RecordError as error:
        logger.warning("what was written before is forgotten: %s", error)
        return {}


def write_objects(
    planned: Sequence[PlannedObject], path: Path, sign_offs: Mapping[str, SignOff] | None = None
) -> dict[str, WrittenObject]:
    """Write objects and their record; an object that says the same as before becomes the same bytes again.

    Objects of the record that are no longer planned are removed.

    Parameters
    ----------
    planned : sequence of PlannedObject
        Every object that the record is to hold.
    path : Path
        The record.
    sign_offs : mapping of str to SignOff, optional
        Content digest -> who answers for it.

    Returns
    -------
    dict of str to WrittenObject
        What was written, by name.
    """
    before = read_objects(path)
    written = {plan.name: _write(plan, before.get(plan.name), (sign_offs or {}).get(plan.content)) for plan in planned}
    for name in before.keys() - written.keys():
        (path.parent / Path(before[name].file).name).unlink(missing_ok=True)
    ObjectsRecord(objects=written).write(path)
    return written


def next_edition(plan: PlannedObject, before: WrittenObject | None, sign_off: SignOff | None = None) -> Edition:
    """Return the edition that is to be written: the last one again, if it says the same, else one that replaces it.

    Parameters
    ----------
    plan : PlannedObject
        What is to be written.
    before : WrittenObject or None
        What was written last.
    sign_off : SignOff, optional
        Who answers for the content.
    """
    last = before.predecessor if before and plan.names_predecessor else None
    again = Edition(plan.role, plan.content, plan.software, last, sign_off)
    reference = before.reference if before else None
    if reference is None or again.sop_instance_uid == reference.sop_instance_uid or not plan.names_predecessor:
        return again
    return Edition(plan.role, plan.content, plan.software, reference, sign_off)


def outdated(planned: Sequence[PlannedObject], path: Path, sign_offs: Mapping[str, SignOff] | None = None) -> list[str]:
    """Return what is not as the inputs of now give it, one sentence each; nothing is written.

    Parameters
    ----------
    planned : sequence of PlannedObject
        Every object that the record should hold.
    path : Path
        The record.
    sign_offs : mapping of str to SignOff, optional
        Content digest -> who answers for it.
    """
    before = read_objects(path)
    problems = [f"{before[name].file} is no longer asked for" for name in before.keys() - {one.name for one in planned}]
    for plan in planned:
        last = before.get(plan.name)
        if last is None:
            problems.append(f"{plan.target.name} was never written")
        elif last.content != plan.content:
            problems.append(f"{plan.target.name} was made from other inputs than there are now")
        elif plan.absent is None and last.sign_off != (sign_offs or {}).get(plan.content):
            problems.append(f"{plan.target.name} is not signed as sign_offs.json says")
        elif last.sha256 != (file_digest(plan.target) if plan.target.is_file() else None):
            problems.append(f"{plan.target.name} is not the file that was written")
    return problems


def _write(plan: PlannedObject, before: WrittenObject | None, sign_off: SignOff | None) -> WrittenObject:
    replaces = before.replaces if before else ()
    if plan.absent is not None:
        plan.target.unlink(missing_ok=True)
        gone = (before.reference.sop_instance_uid,) if before and before.reference else ()
        return WrittenObject(
            file=plan.target.name,
            content=plan.content,
            predecessor=(before.reference or before.predecessor) if before else None,
            replaces=tuple(dict.fromkeys((*gone, *replaces))),
            absent=plan.absent,
        )
    edition = next_edition(plan, before, sign_off)
    dataset = plan.build(edition)
    reference = reference_of(dataset)
    save(dataset, plan.target, deflate=plan.deflate)
    if before and before.reference and before.reference != reference:
        replaces = (before.reference.sop_instance_uid, *replaces)
    replaces = tuple(uid for uid in dict.fromkeys(replaces) if uid != reference.sop_instance_uid)
    return WrittenObject(
        file=plan.target.name,
        content=plan.content,
        reference=reference,
        sha256=file_digest(plan.target),
        predecessor=edition.predecessor,
        sign_off=edition.sign_off,
        replaces=replaces,
    )
