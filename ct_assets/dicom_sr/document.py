"""What the reports share: TID 1500, a device as observer, unverified unless signed, equal bytes for equal input."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import pydicom
from highdicom.sr import (
    AlgorithmIdentification,
    Comprehensive3DSR,
    DeviceObserverIdentifyingAttributes,
    EnhancedSR,
    FindingSite,
    MeasurementReport,
    MeasurementsAndQualitativeEvaluations,
    ObservationContext,
    ObserverContext,
    VolumetricROIMeasurementsAndQualitativeEvaluations,
)
from pydicom.sequence import Sequence as DicomSequence
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code as SrCode

from ct_assets.dicom.authorship import (
    LONG_STRING_LENGTH,
    MANUFACTURER,
    algorithm_parameters,
    contributing_equipment,
    with_notice,
)
from ct_assets.dicom.codes import Code
from ct_assets.dicom.edition import Edition
from ct_assets.dicom.series import CtSeries
from ct_assets.dicom.source import as_evidence, finish
from ct_assets.dicom.uids import derived_uid
from ct_assets.provenance import Provenance

Group = MeasurementsAndQualitativeEvaluations | VolumetricROIMeasurementsAndQualitativeEvaluations
"""Measurement group: TID 1501 or TID 1411."""

_PROCEDURE = SrCode("363679005", "SCT", "Imaging procedure")
_SERIAL_LENGTH = 16


@dataclass(frozen=True)
class Software:
    """Name and version of the software that observed."""

    name: str
    version: str

    @classmethod
    def parse(cls, text: str) -> "Software":
        """Split "bpreg 1.1.0, torch 2.15.0" into name and version of the first; without a space it is unknown."""
        name, _, version = text.partition(",")[0].strip().rpartition(" ")
        return cls(name, version) if name else cls(version, "unknown")


@dataclass(frozen=True)
class Report:
    """One report: what it is called, who observed, and which edition it is.

    ``missing`` says what the report should hold and does not; then it counts as partial.
    """

    series_description: str
    series_number: int
    observer: Software
    provenance: Provenance
    edition: Edition
    missing: str = ""

    def build(
        self,
        groups: Iterable[Group],
        evidence: Sequence[pydicom.Dataset],
        series: CtSeries,
        kind: type[EnhancedSR] | type[Comprehensive3DSR],
    ) -> pydicom.Dataset:
        """Return the report as a DICOM SR: preliminary and unverified, unless its edition is signed.

        Parameters
        ----------
        groups : iterable of Group
            Measurement groups, at least one.
        evidence : sequence of Dataset
            The CT, its completed header first, and whatever else the groups refer to.
        series : CtSeries
            The CT series.
        kind : type
            SOP class.
        """
        first, *others = groups
        content = MeasurementReport(
            observation_context=ObservationContext(observer_device_context=self._observer()),
            procedure_reported=_PROCEDURE,
            imaging_measurements=[first],
        )[0]
        signed = self.edition.sign_off
        document = kind(
            evidence=evidence,
            content=content,
            series_instance_uid=self.edition.series_instance_uid,
            series_number=self.series_number,
            sop_instance_uid=self.edition.sop_instance_uid,
            instance_number=1,
            manufacturer=MANUFACTURER,
            manufacturer_model_name=self.observer.name,
            software_versions=list(self.edition.software),
            device_serial_number=self._serial_number,
            series_description=with_notice(self.series_description, self.provenance),
            is_complete=not self.missing,
            is_final=signed is not None,
            is_verified=signed is not None,
            verifying_observer_name=signed.person if signed else None,
            verifying_organization=signed.organization if signed else None,
            previous_versions=self._predecessors(),
            contributing_equipment=contributing_equipment(self.provenance, "Model behind what is reported"),
        )
        _append(document, others)
        if signed:
            document.VerifyingObserverSequence[0].VerificationDateTime = signed.moment
            if not (signed.person + signed.organization).isascii():
                document.SpecificCharacterSet = "ISO_IR 192"  # that of the CT may lack the signer's letters
        if self.missing:
            document.CompletionFlagDescription = self.missing[:LONG_STRING_LENGTH]
        finish(document, series)
        return document

    def algorithm(self, software: Software | None = None) -> AlgorithmIdentification:
        """Return the software that observed, by default the observer, with all that determines its output (TID 4019).

        The parameters are one text, because they are repeated in every group of reports that have hundreds.
        """
        software = software or self.observer
        parameters = algorithm_parameters(self.provenance)
        text = "; ".join(f"{key}={value}" for key, value in parameters.items())
        return AlgorithmIdentification(name=software.name, version=software.version, parameters=[text])

    @property
    def _serial_number(self) -> str | None:
        return self.provenance.weights_digest[:_SERIAL_LENGTH] or None

    def _observer(self) -> ObserverContext:
        device = DeviceObserverIdentifyingAttributes(
            uid=derived_uid("device", self.observer.name, self.observer.version, self.provenance.weights_digest),
            name=self.observer.name,
            manufacturer_name=MANUFACTURER,
            model_name=self.observer.version,
            serial_number=self._serial_number,
        )
        return ObserverContext(observer_type=codes.DCM.Device, observer_identifying_attributes=device)

    def _predecessors(self) -> list[pydicom.Dataset] | None:
        return [as_evidence(self.edition.predecessor)] if self.edition.predecessor else None


def finding_site(site: Code, modifier: Code | None = None) -> FindingSite:
    """Return a Finding Site, with its topographical modifier nested in it.

    Parameters
    ----------
    site : Code
        Anatomy.
    modifier : Code or None
        Which part of it.
    """
    return FindingSite(sr_code(site), topographical_modifier=None if modifier is None else sr_code(modifier))


def sr_code(code: Code) -> SrCode:
    """Return a code as highdicom takes it.

    Parameters
    ----------
    code : Code
        Coded concept.
    """
    return SrCode(code.value, code.scheme, code.meaning)


def _append(document: pydicom.Dataset, groups: Sequence[Group]) -> None:
    """Add groups to a report that has its first.

    highdicom copies the content that it is given and searches it twice for references, which takes half the time of a
    report of hundreds of groups. What the groups refer to is proven when the report is read back.
    """
    container = document.ContentSequence[-1]
    assert container.ConceptNameCodeSequence[0].CodeValue == codes.DCM.ImagingMeasurements.value
    DicomSequence.extend(container.ContentSequence, [group[0] for group in groups])
