"""What a report says slice by slice: one TID 1501 group per CT instance, with Finding Sites."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import pydicom
from highdicom.sr import (
    Comprehensive3DSR,
    FindingSite,
    MeasurementsAndQualitativeEvaluations,
    SourceImageForMeasurementGroup,
    TrackingIdentifier,
)

from ct_assets.ct_nifti.record import CtRecord
from ct_assets.dicom.edition import Edition
from ct_assets.dicom.series import CT_IMAGE_STORAGE, CtSeries
from ct_assets.dicom.source import source_evidence
from ct_assets.dicom_sr.document import Report, Software
from ct_assets.provenance import Provenance


@dataclass(frozen=True)
class SliceFindings:
    """What is found on one CT instance, and the tracking identifier of its group."""

    sop_instance_uid: str
    identifier: str
    sites: tuple[FindingSite, ...]


@dataclass(frozen=True)
class SliceReport:
    """A kind of report on slices: its published description, number and observer."""

    series_description: str
    series_number: int
    observer: str

    def build(
        self,
        edition: Edition,
        series: Callable[[], CtSeries],
        record: CtRecord,
        provenance: Provenance,
        findings: Sequence[SliceFindings],
    ) -> pydicom.Dataset:
        """Return the report as Comprehensive 3D SR that refers to every instance of the CT.

        Parameters
        ----------
        edition : Edition
            Which edition it is.
        series : callable
            Gives the CT series.
        record : CtRecord
            ct.json of the series.
        provenance : Provenance
            How the slices were scored.
        findings : sequence of SliceFindings
            At least one.
        """
        report = Report(
            series_description=self.series_description,
            series_number=self.series_number,
            observer=Software(self.observer, Software.parse(provenance.software).version),
            provenance=provenance,
            edition=edition,
        )
        ct = series()
        evidence = source_evidence(ct, [entry.sop_instance_uid for entry in record.slices])
        return report.build(_groups(report, findings), evidence, ct, Comprehensive3DSR)


def _groups(report: Report, findings: Sequence[SliceFindings]) -> Iterator[MeasurementsAndQualitativeEvaluations]:
    for found in findings:
        yield MeasurementsAndQualitativeEvaluations(
            tracking_identifier=TrackingIdentifier(
                uid=report.edition.uid("tracking", found.sop_instance_uid), identifier=found.identifier
            ),
            algorithm_id=report.algorithm(),
            finding_sites=found.sites,
            source_images=[SourceImageForMeasurementGroup(CT_IMAGE_STORAGE, found.sop_instance_uid)],
        )
