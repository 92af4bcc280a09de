"""Shape features as Enhanced SR: one TID 1411 group per organ that refers to its segment."""

from collections.abc import Callable, Iterator, Mapping
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
from ct_assets.dicom.authorship import algorithm_name, series_number, software_versions
from ct_assets.dicom.codes import feature_codes, organ_codes
from ct_assets.dicom.edition import Edition, content_digest
from ct_assets.dicom.series import CtSeries
from ct_assets.dicom.source import as_evidence, source_evidence
from ct_assets.dicom.written import PlannedObject
from ct_assets.dicom_sr.document import Report, Software, finding_site, sr_code
from ct_assets.dicom_sr.segments import SegmentReference
from ct_assets.organs import EXPERT
from ct_assets.provenance import Provenance
from ct_assets.store.digest import json_digest

SERIES_NUMBER = 1001
"""SeriesNumber of the published feature reports; other configurations and the expert follow it."""

EXPERT_DESCRIPTION = "Manual_segmentations_Measurements"
"""SeriesDescription of the published feature reports of experts' segmentations."""

_COLUMNS = ["label", "feature", "value", "unit", "software"]


class StaleFeaturesError(ValueError):
    """Features that were measured on another segmentation than there is now."""


def plan_features_sr(
    series: Callable[[], CtSeries],
    record: CtRecord,
    features: pd.DataFrame,
    segments: Mapping[int, SegmentReference],
    provenance: Provenance,
    target: Path,
    nothing: str = "no organ could be measured",
) -> PlannedObject:
    """Plan the shape features of one model, or of the expert; equal input gives equal bytes.

    An organ without any value, or without a segment of its own, gets no group; then the report is partial and says
    which. Without any group there is no report.

    Parameters
    ----------
    series : callable
        Gives the source series, when the report is written.
    record : CtRecord
        ct.json of the series.
    features : DataFrame
        Rows of the table SHAPE_FEATURES; those of other models are ignored.
    segments : mapping of int to SegmentReference
        Label of each organ -> the segment that it was measured on.
    provenance : Provenance
        How the segmentation was made; its configuration is the model's name in the table.
    target : Path
        File to write.
    nothing : str
        Why there is no report, where there is none.

    Returns
    -------
    PlannedObject
        Writing it raises InconsistentSeriesError if the series lacks instances that ct.json names.

    Raises
    ------
    StaleFeaturesError
        If the features were measured on another segmentation than that of their segment.
    """
    rows = features[features["model"] == provenance.configuration]
    measured = rows[rows["value"].notna() & rows["label"].isin(list(segments))].sort_values("label", kind="stable")
    if not measured["segmentation"].eq(measured["label"].map(lambda label: segments[label].segmentation)).all():
        message = (
            f"series {record.series_instance_uid}: the shape features of {provenance.configuration} were measured on "
            "another segmentation than there is now; materialize shape_features again"
        )
        raise StaleFeaturesError(message)
    values = [
        [int(label), str(feature), float(value), str(unit), str(software)]
        for label, feature, value, unit, software in measured[_COLUMNS].itertuples(index=False)
    ]
    used = {label: segments[label] for label in sorted(set(measured["label"].astype(int)))}
    missing = _missing(rows, set(used))
    observer = str(values[0][4]) if values else ""
    content = [values, [[label, one.seg.model_dump(), one.number] for label, one in used.items()], missing]

    def build(edition: Edition) -> pydicom.Dataset:
        ct = series()
        report = Report(
            series_description=_description(provenance),
            series_number=series_number(SERIES_NUMBER, provenance),
            observer=Software.parse(observer),
            provenance=provenance,
            edition=edition,
            missing=missing,
        )
        segs = {one.seg.sop_instance_uid: as_evidence(one.seg) for one in used.values()}
        evidence = [*source_evidence(ct, [entry.sop_instance_uid for entry in record.slices]), *segs.values()]
        return report.build(_groups(report, measured, used, record), evidence, ct, EnhancedSR)

    return PlannedObject(
        role="features report",
        name=provenance.configuration,
        target=target,
        content=content_digest(record.source_digest, provenance, json_digest(content)),
        software=software_versions(*dict.fromkeys((provenance.software, observer))),
        build=build,
        names_predecessor=True,
        absent=None if values else nothing,
    )


def _description(provenance: Provenance) -> str:
    return EXPERT_DESCRIPTION if provenance.configuration == EXPERT else f"{algorithm_name(provenance)}_Measurements"


def _missing(rows: pd.DataFrame, reported: set[int]) -> str:
    """Name the organs that have rows but are not reported with every value."""
    lacking = rows[rows["value"].isna() | ~rows["label"].isin(reported)]
    organs = sorted(set(lacking["organ"].astype(str)))
    return f"not measurable: {', '.join(organs)}" if organs else ""


def _groups(
    report: Report, measured: pd.DataFrame, segments: Mapping[int, SegmentReference], record: CtRecord
) -> Iterator[VolumetricROIMeasurementsAndQualitativeEvaluations]:
    for label, rows in measured.groupby("label"):
        organ = organ_codes()[int(str(label))]
        segment = segments[organ.label]
        yield VolumetricROIMeasurementsAndQualitativeEvaluations(
            tracking_identifier=TrackingIdentifier(
                uid=report.edition.uid("tracking", str(label)), identifier=f"Measurements group {label}"
            ),
            referenced_segment=ReferencedSegment(
                sop_class_uid=segment.seg.sop_class_uid,
                sop_instance_uid=segment.seg.sop_instance_uid,
                segment_number=segment.number,
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
