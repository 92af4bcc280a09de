"""Landmarks as Comprehensive 3D SR: one TID 1501 group per slice that has any."""

from pathlib import Path

import pandas as pd
from highdicom.sr import (
    Comprehensive3DSR,
    MeasurementsAndQualitativeEvaluations,
    SourceImageForMeasurementGroup,
    TrackingIdentifier,
)

from ct_assets.ct_nifti.record import CtRecord
from ct_assets.dicom.authorship import identity
from ct_assets.dicom.codes import landmark_codes
from ct_assets.dicom.series import CtSeries
from ct_assets.dicom.source import source_headers
from ct_assets.dicom_sr.document import Report, Software, finding_site
from ct_assets.provenance import Provenance
from ct_assets.store.digest import json_digest

SERIES_DESCRIPTION = "BPR landmark annotations"
"""SeriesDescription of the published landmark reports, by which queries find them."""

SERIES_NUMBER = 101
"""SeriesNumber of the published landmark reports."""

_OBSERVER = "BodyPartRegression_landmarks"


def write_landmarks_sr(
    series: CtSeries, record: CtRecord, landmarks: pd.DataFrame, provenance: Provenance, target: Path
) -> None:
    """Write the located landmarks, each as Finding Site of the slice nearest to it; equal input gives equal bytes.

    Parameters
    ----------
    series : CtSeries
        Source series.
    record : CtRecord
        ct.json of the series.
    landmarks : DataFrame
        Rows of the table LANDMARKS; those that are not located are left out.
    provenance : Provenance
        How the slices were scored.
    target : Path
        File to write.

    Raises
    ------
    EmptyReportError
        If no landmark is located.
    InconsistentSeriesError
        If a landmark lies on an instance that the series lacks.
    KeyError
        If a landmark has no code.
    """
    located = landmarks[landmarks["located"].astype(bool)]
    rows = sorted(zip(located["SOPInstanceUID"].astype(str), located["landmark"].astype(str), strict=True))
    observer = Software(_OBSERVER, Software.parse(provenance.software).version)
    report = Report(
        role="landmarks report",
        series_description=SERIES_DESCRIPTION,
        series_number=SERIES_NUMBER,
        observer=observer,
        provenance=provenance,
        identity=identity(record.source_digest, provenance, json_digest(rows)),
    )
    by_instance: dict[str, list[str]] = {}
    for instance, landmark in rows:
        by_instance.setdefault(instance, []).append(landmark)
    in_order = [entry.sop_instance_uid for entry in record.slices if entry.sop_instance_uid in by_instance]
    in_order += sorted(set(by_instance) - set(in_order))
    headers = source_headers(series, in_order)
    groups = [
        MeasurementsAndQualitativeEvaluations(
            tracking_identifier=TrackingIdentifier(
                uid=report.tracking_uid(instance), identifier=f"Annotations group landmarks {number}"
            ),
            algorithm_id=report.algorithm(),
            finding_sites=[
                finding_site(landmark_codes()[name].site, landmark_codes()[name].modifier)
                for name in by_instance[instance]
            ],
            source_images=[SourceImageForMeasurementGroup.from_source_image(header)],
        )
        for number, (instance, header) in enumerate(zip(in_order, headers, strict=True), start=1)
    ]
    evidence = source_headers(series, [entry.sop_instance_uid for entry in record.slices])
    report.write(groups, evidence, series, Comprehensive3DSR, target)
