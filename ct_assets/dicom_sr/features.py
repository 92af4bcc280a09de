"""Shape features as Enhanced SR: one TID 1411 group per organ that refers to its segment."""

from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pydicom
from highdicom.sr import (
    EnhancedSR,
    Measurement,
    ReferencedSegment,
    SourceSeriesForSegmentation,
    TrackingIdentifier,
    VolumetricROIMeasurementsAndQualitativeEvaluations,
)

from ct_assets.ct_nifti.record import CtRecord
from ct_assets.dicom.authorship import algorithm_name, identity, series_number
from ct_assets.dicom.codes import feature_codes, organ_codes
from ct_assets.dicom.series import CtSeries
from ct_assets.dicom.source import source_headers
from ct_assets.dicom_sr.document import Report, Software, finding_site, sr_code
from ct_assets.provenance import Provenance
from ct_assets.store.digest import json_digest

SERIES_NUMBER = 1001
"""SeriesNumber of the published feature reports; other configurations follow it."""


class MismatchedSegmentationError(ValueError):
    """A SEG that is not the one the features were measured on; the message names the file."""


def write_features_sr(
    series: CtSeries, record: CtRecord, features: pd.DataFrame, seg: Path, provenance: Provenance, target: Path
) -> None:
    """Write the shape features of one model; equal input gives equal bytes.

    An organ without any value gets no group; then the report is partial and says which.

    Parameters
    ----------
    series : CtSeries
        Source series.
    record : CtRecord
        ct.json of the series.
    features : DataFrame
        Rows of the table SHAPE_FEATURES; those of other models are ignored.
    seg : Path
        SEG of the same model, to whose segments the groups refer.
    provenance : Provenance
        How the label map was made.
    target : Path
        File to write.

    Raises
    ------
    EmptyReportError
        If no organ has a value.
    MismatchedSegmentationError
        If the SEG is of another series or does not describe a measured label.
    """
    rows = features[features["model"] == provenance.configuration]
    measured = rows[rows["value"].notna()]
    segmentation = _read_seg(seg, record, set(measured["label"].astype(int)))
    values = [
        [int(label), str(feature), float(value), str(unit), str(software)]
        for label, feature, value, unit, software in measured[
            ["label", "feature", "value", "unit", "software"]
        ].itertuples(index=False)
    ]
    report = Report(
        role="features report",
        series_description=f"{algorithm_name(provenance)}_Measurements",
        series_number=series_number(SERIES_NUMBER, provenance),
        observer=Software.parse(str(values[0][4]) if values else ""),
        provenance=provenance,
        identity=identity(record.source_digest, provenance, str(segmentation.SOPInstanceUID), json_digest(values)),
        missing=_missing(rows),
    )
    headers = source_headers(series, [entry.sop_instance_uid for entry in record.slices])
    groups = list(_groups(report, measured, segmentation, record))
    report.write(groups, [*headers, segmentation], series, EnhancedSR, target)


def _read_seg(path: Path, record: CtRecord, labels: set[int]) -> pydicom.Dataset:
    segmentation = pydicom.dcmread(path, stop_before_pixels=True)
    referenced = {str(item.SeriesInstanceUID) for item in segmentation.get("ReferencedSeriesSequence", [])}
    if record.series_instance_uid not in referenced:
        message = f"{path}: segments another series than {record.series_instance_uid}; materialize dicom_seg again"
        raise MismatchedSegmentationError(message)
    undescribed = labels - {int(segment.SegmentNumber) for segment in segmentation.SegmentSequence}
    if undescribed:
        message = f"{path}: does not describe the measured segments {sorted(undescribed)}; materialize dicom_seg again"
        raise MismatchedSegmentationError(message)
    return segmentation


def _missing(rows: pd.DataFrame) -> str:
    """Name the organs that have rows but not every value."""
    organs = [str(organ) for organ, values in rows.groupby("organ")["value"] if values.isna().any()]
    return f"not measurable: {', '.join(sorted(organs))}" if organs else ""


def _groups(
    report: Report, measured: pd.DataFrame, segmentation: pydicom.Dataset, record: CtRecord
) -> Iterator[VolumetricROIMeasurementsAndQualitativeEvaluations]:
    for label, rows in measured.sort_values("label", kind="stable").groupby("label"):
        organ = organ_codes()[int(str(label))]
        yield VolumetricROIMeasurementsAndQualitativeEvaluations(
            tracking_identifier=TrackingIdentifier(
                uid=report.tracking_uid(str(label)), identifier=f"Measurements group {label}"
            ),
            referenced_segment=ReferencedSegment(
                sop_class_uid=segmentation.SOPClassUID,
                sop_instance_uid=segmentation.SOPInstanceUID,
                segment_number=organ.label,
                source_series=_source_series(record.series_instance_uid),
            ),
            finding_type=sr_code(organ.finding),
            finding_sites=[finding_site(organ.site)],
            measurements=[
                _measurement(report, str(feature), float(value), str(software))
                for feature, value, software in rows[["feature", "value", "software"]].itertuples(index=False)
            ],
        )


def _measurement(report: Report, feature: str, value: float, software: str) -> Measurement:
    code = feature_codes()[feature]
    return Measurement(
        name=sr_code(code.quantity),
        value=value,
        unit=sr_code(code.unit),
        algorithm_id=report.algorithm(Software.parse(software)),
    )


def _source_series(series_instance_uid: str) -> SourceSeriesForSegmentation:
    """Return the reference to the CT with the meaning that PS3.16 gives its code; highdicom capitalizes it."""
    source = SourceSeriesForSegmentation(series_instance_uid)
    source.ConceptNameCodeSequence[0].CodeMeaning = "Source series for segmentation"
    return source
