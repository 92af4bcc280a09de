"""Measurement reports (TID 1500) read back: ours, those of the published pipeline, and others' of the same template."""

import json
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pydicom
from pydicom.errors import BytesLengthException, InvalidDicomError

from ct_assets.dicom_sr import content
from ct_assets.dicom_sr.content import CodeStruct
from ct_assets.dicom_sr.dicom_json import Item, to_dicom_json

_CONTENT = 0x0040A730
_EVIDENCE = (0x0040A375, 0x0040A385)
"""CurrentRequestedProcedureEvidenceSequence and PertinentOtherEvidenceSequence."""
_PREDECESSORS = 0x0040A360
_HEAD = (0x00080018, 0x0020000E, 0x00100020, 0x0008103E)
"""SOPInstanceUID, SeriesInstanceUID, PatientID, SeriesDescription."""

_IMAGING_MEASUREMENTS = "126010"
_MEASUREMENT_GROUP = "125007"
_TRACKING_IDENTIFIER = "112039"
_TRACKING_UID = "112040"
_FINDING = "121071"
_SEGMENT = ("121191", "121214")
"""Referenced Segment and Referenced Segmentation Frame."""
_SOURCE_SERIES = "121232"

FINDING_SITE = ("363698007", "G-C0E3")
"""Concept name Finding Site, in SNOMED CT and as it was before."""

MODIFIER = ("106233006", "G-A1F8")
"""Concept name Topographical Modifier, likewise."""


class UnusableReportError(ValueError):
    """A file that is no measurement report; the message names it."""


@dataclass(frozen=True)
class Group:
    """One measurement group.

    ``number`` is its offset among the items of Imaging Measurements. ``finding_site`` is its first. ``segmentation``
    and ``segment``: what it measures; ``image``: what it is about otherwise. ``items`` are its content items.
    """

    number: int
    tracking_identifier: str | None
    tracking_uid: str | None
    finding: CodeStruct | None
    finding_site: CodeStruct | None
    source_series: str | None
    segmentation: str | None
    segment: int | None
    image: str | None
    items: list[Item]

    @property
    def content_sequence(self) -> str:
        """The content items as DICOM JSON text."""
        return json.dumps(self.items, ensure_ascii=False)


@dataclass(frozen=True)
class MeasurementReport:
    """What a report says.

    ``evidence``: SOPInstanceUID -> SeriesInstanceUID, StudyInstanceUID. ``referenced``: every SOPInstanceUID in its
    content and evidence. ``predecessors``: those of the documents that it replaces.
    """

    path: Path
    sop_instance_uid: str | None
    series_instance_uid: str | None
    patient_id: str | None
    series_description: str | None
    groups: list[Group]
    evidence: dict[str, tuple[str | None, str | None]]
    referenced: frozenset[str]
    predecessors: frozenset[str]


def read_report(path: Path) -> MeasurementReport:
    """Read a measurement report.

    Parameters
    ----------
    path : Path
        TID 1500 report.

    Returns
    -------
    MeasurementReport
        Its head, groups and references.

    Raises
    ------
    UnusableReportError
        If the file is damaged or no measurement report.
    """
    try:
        dataset = pydicom.dcmread(path, stop_before_pixels=True)
        is_report = dataset.get("Modality") == "SR"
        document = to_dicom_json(dataset, [*_HEAD, *_EVIDENCE, _PREDECESSORS, _CONTENT]) if is_report else {}
        json.dumps(document, allow_nan=False)
    except (  # NotImplementedError: so pydicom says that it does not know a value representation
        InvalidDicomError, BytesLengthException, OSError, EOFError, ValueError, TypeError, AttributeError,
        LookupError, NotImplementedError, struct.error, RecursionError,
    ) as error:  # fmt: skip
        message = f"{path}: is not a complete DICOM file ({error})"
        raise UnusableReportError(message) from error
    containers = [item for item in content.children(document) if content.name(item) == _IMAGING_MEASUREMENTS]
    if not containers:
        message = f"{path}: is no measurement report (TID 1500)"
        raise UnusableReportError(message)
    references = {key: element for key, element in document.items() if key != f"{_PREDECESSORS:08X}"}
    return MeasurementReport(
        path=path,
        sop_instance_uid=content.text(document, f"{_HEAD[0]:08X}"),
        series_instance_uid=content.text(document, f"{_HEAD[1]:08X}"),
        patient_id=content.text(document, f"{_HEAD[2]:08X}"),
        series_description=content.text(document, f"{_HEAD[3]:08X}"),
        groups=list(_groups(containers[0])),
        evidence=dict(_evidence(document)),
        referenced=frozenset(content.referenced_instances(references)),
        predecessors=frozenset(content.referenced_instances(content.items_of(document, f"{_PREDECESSORS:08X}"))),
    )


def _groups(measurements: Item) -> Iterator[Group]:
    for number, group in enumerate(content.children(measurements)):
        if content.name(group) != _MEASUREMENT_GROUP:
            continue
        items = content.children(group)
        named: dict[str | None, Item] = {}
        for item in items:
            named.setdefault(content.name(item), item)
        segment = next((named[key] for key in _SEGMENT if key in named), {})
        site = next((named[key] for key in FINDING_SITE if key in named), {})
        reference = next(iter(content.items_of(segment, "00081199")), {})
        segment_number = content.first(reference, "0062000B")
        yield Group(
            number=number,
            tracking_identifier=content.text(named.get(_TRACKING_IDENTIFIER, {}), "0040A160"),
            tracking_uid=content.text(named.get(_TRACKING_UID, {}), "0040A124"),
            finding=content.code(named.get(_FINDING, {})),
            finding_site=content.code(site),
            source_series=content.text(named.get(_SOURCE_SERIES, {}), "0040A124"),
            segmentation=content.text(reference, "00081155"),
            segment=segment_number if isinstance(segment_number, int) else None,
            image=next(_images(items), None),
            items=items,
        )


def _images(items: list[Item]) -> Iterator[str]:
    """Yield the images that items refer to, also those that their coordinates are selected from, no segments."""
    for item in items:
        if content.value_type(item) == "IMAGE" and content.name(item) not in _SEGMENT:
            yield from content.referenced_instances(content.items_of(item, "00081199"))
        elif content.value_type(item) in ("SCOORD", "SCOORD3D"):
            yield from _images(content.children(item))


def _evidence(document: Item) -> Iterator[tuple[str, tuple[str | None, str | None]]]:
    for tag in _EVIDENCE:
        for study in content.items_of(document, f"{tag:08X}"):
            for series in content.items_of(study, "00081115"):
                place = content.text(series, "0020000E"), content.text(study, "0020000D")
                yield from ((uid, place) for uid in content.referenced_instances(series))
