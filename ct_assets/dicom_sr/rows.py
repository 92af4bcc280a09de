"""Rows of the three tables of measurements, from one report."""

from collections.abc import Iterator
from typing import Any

from ct_assets.dicom_sr import content
from ct_assets.dicom_sr.content import CodeStruct
from ct_assets.dicom_sr.dicom_json import Item
from ct_assets.dicom_sr.read import FINDING_SITE, MODIFIER, MeasurementReport

Row = dict[str, Any]

_FINDING = ("121071", "276214006")
"""Finding and Finding Category: what a group is about, not what it says of it."""


def group_rows(report: MeasurementReport) -> Iterator[Row]:
    """Yield the rows of MEASUREMENT_GROUPS.

    Parameters
    ----------
    report : MeasurementReport
        The report.
    """
    for group in report.groups:
        yield {
            "SOPInstanceUID": report.sop_instance_uid,
            "SeriesInstanceUID": report.series_instance_uid,
            "PatientID": report.patient_id,
            "SeriesDescription": report.series_description,
            "measurementGroup_number": group.number,
            "trackingIdentifier": group.tracking_identifier,
            "trackingUniqueIdentifier": group.tracking_uid,
            "finding": group.finding,
            "sourceSegmentedSeriesUID": group.source_series,
            "segmentationInstanceUID": group.segmentation,
            "segmentationSegmentNumber": group.segment,
            "contentSequence": group.content_sequence,
        }


def quantitative_rows(report: MeasurementReport) -> Iterator[Row]:
    """Yield the rows of QUANTITATIVE_MEASUREMENTS.

    Parameters
    ----------
    report : MeasurementReport
        The report.
    """
    for group in report.groups:
        for item in group.items:
            if content.value_type(item) == "NUM":
                value, units = _measured(item)
                yield {
                    "PatientID": report.patient_id,
                    "SOPInstanceUID": report.sop_instance_uid,
                    "SeriesDescription": report.series_description,
                    "measurementGroup_number": group.number,
                    "segmentationInstanceUID": group.segmentation,
                    "segmentationSegmentNumber": group.segment,
                    "sourceSegmentedSeriesUID": group.source_series,
                    "trackingIdentifier": group.tracking_identifier,
                    "Quantity": content.code(item, "0040A043"),
                    "Value": value,
                    "Units": units,
                    "finding": group.finding,
                    "findingSite": group.finding_site,
                }


def qualitative_rows(report: MeasurementReport) -> Iterator[Row]:
    """Yield the rows of QUALITATIVE_MEASUREMENTS.

    The finding site is a statement where a group has no numbers, as in the published landmarks and regions; where it
    has, it is their site, and in their rows.

    Parameters
    ----------
    report : MeasurementReport
        The report.
    """
    for group in report.groups:
        about: tuple[str, ...] = _FINDING
        if any(content.value_type(item) == "NUM" for item in group.items):
            about = (*_FINDING, *FINDING_SITE)
        series, study = report.evidence.get(group.image or "", (None, None))
        for item in group.items:
            if content.value_type(item) == "CODE" and content.name(item) not in about:
                yield {
                    "PatientID": report.patient_id,
                    "SeriesInstanceUID": report.series_instance_uid,
                    "SOPInstanceUID": report.sop_instance_uid,
                    "SeriesDescription": report.series_description,
                    "measurementGroup_number": group.number,
                    "trackingIdentifier": group.tracking_identifier,
                    "trackingUniqueIdentifier": group.tracking_uid,
                    "ConceptNameCodeSequence": content.code(item, "0040A043"),
                    "ConceptCodeSequence": content.code(item),
                    "topographical_modifier": _modifier(item),
                    "ReferencedSOPInstanceUID": group.image,
                    "ReferencedSeriesInstanceUID": series,
                    "ReferencedStudyInstanceUID": study,
                }


def _measured(item: Item) -> tuple[float | None, CodeStruct | None]:
    """Return value and units of a NUM; an item that says why nothing was measured has none."""
    measured = next(iter(content.items_of(item, "0040A300")), {})
    precise, decimal = content.first(measured, "0040A161"), content.first(measured, "0040A30A")
    value = decimal if precise is None else precise
    return float(value) if isinstance(value, int | float) else None, content.code(measured, "004008EA")


def _modifier(item: Item) -> CodeStruct | None:
    return next((content.code(child) for child in content.children(item) if content.name(child) in MODIFIER), None)
