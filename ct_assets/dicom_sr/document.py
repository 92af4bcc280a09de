"""What the three reports share: TID 1500, a device as observer, unverified, equal bytes for equal input."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

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
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code as SrCode

from ct_assets.dicom.authorship import (
    LONG_STRING_LENGTH,
    MANUFACTURER,
    algorithm_parameters,
    save,
    software_versions,
    with_notice,
)
from ct_assets.dicom.codes import Code
from ct_assets.dicom.series import CtSeries
from ct_assets.dicom.source import finish
from ct_assets.dicom.uids import derived_uid
from ct_assets.provenance import Provenance

Group = MeasurementsAndQualitativeEvaluations | VolumetricROIMeasurementsAndQualitativeEvaluations
"""Measurement group: TID 1501 or TID 1411."""

_PROCEDURE = SrCode("363679005", "SCT", "Imaging procedure")


class EmptyReportError(ValueError):
    """Nothing measured or located, so that there is nothing to report."""


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
    """One report: what it is called, who observed, what it says, and what determines its bytes.

    ``missing`` says what the report should hold and does not; then it counts as partial.
    """

    role: str
    series_description: str
    series_number: int
    observer: Software
    provenance: Provenance
    identity: tuple[str, ...]
    missing: str = ""

    def write(
        self,
        groups: Sequence[Group],
        evidence: Sequence[pydicom.Dataset],
        series: CtSeries,
        kind: type[EnhancedSR] | type[Comprehensive3DSR],
        target: Path,
    ) -> None:
        """Write the report atomically as DICOM SR.

        Parameters
        ----------
        groups : sequence of Group
            Measurement groups, at least one.
        evidence : sequence of Dataset
            Completed headers of the CT, first, and of whatever else the groups refer to.
        series : CtSeries
            The CT series.
        kind : type
            SOP class.
        target : Path
            File to write.

        Raises
        ------
        EmptyReportError
            If there is no group.
        """
        if not groups:
            message = f"series {series.series_instance_uid}: nothing to report as {self.role}"
            raise EmptyReportError(message)
        content = MeasurementReport(
            observation_context=ObservationContext(observer_device_context=self._observer()),
            procedure_reported=_PROCEDURE,
            imaging_measurements=groups,
        )
        document = kind(
            evidence=evidence,
            content=content[0],
            series_instance_uid=derived_uid(f"{self.role} series", *self.identity),
            series_number=self.series_number,
            sop_instance_uid=derived_uid(f"{self.role} instance", *self.identity),
            instance_number=1,
            manufacturer=MANUFACTURER,
            manufacturer_model_name=self.observer.name,
            software_versions=software_versions(self.provenance),
            device_serial_number=self.provenance.weights_digest[:16],
            series_description=with_notice(self.series_description, self.provenance),
            is_complete=not self.missing,
            is_final=False,
            is_verified=False,
        )
        if self.missing:
            document.CompletionFlagDescription = self.missing[:LONG_STRING_LENGTH]
        finish(document, series)
        save(document, target)

    def tracking_uid(self, subject: str) -> str:
        """Return the Tracking UID of one group."""
        return derived_uid(f"{self.role} tracking", *self.identity, subject)

    def algorithm(self, software: Software | None = None) -> AlgorithmIdentification:
        """Return the software that observed, by default the observer, with all that determines its output (TID 4019).

        The parameters are one text, because they are repeated in every group of reports that have hundreds.
        """
        software = software or self.observer
        parameters = algorithm_parameters(self.provenance)
        text = "; ".join(f"{key}={value}" for key, value in parameters.items())
        return AlgorithmIdentification(name=software.name, version=software.version, parameters=[text])

    def _observer(self) -> ObserverContext:
        device = DeviceObserverIdentifyingAttributes(
            uid=derived_uid("device", self.observer.name, self.observer.version, self.provenance.weights_digest),
            name=self.observer.name,
            manufacturer_name=MANUFACTURER,
            model_name=self.observer.version,
            serial_number=self.provenance.weights_digest[:16],
        )
        return ObserverContext(observer_type=codes.DCM.Device, observer_identifying_attributes=device)


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
