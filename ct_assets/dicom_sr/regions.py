"""Body regions as Comprehensive 3D SR: one TID 1501 group per slice that has any."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from highdicom.sr import (
    Comprehensive3DSR,
    MeasurementsAndQualitativeEvaluations,
    SourceImageForMeasurementGroup,
    TrackingIdentifier,
)

from ct_assets.ct_nifti.record import CtRecord
from ct_assets.dicom.authorship import identity
from ct_assets.dicom.codes import Code, region_codes
from ct_assets.dicom.series import CtSeries
from ct_assets.dicom.source import source_headers
from ct_assets.dicom_sr.document import Report, Software, finding_site
from ct_assets.provenance import Provenance
from ct_assets.store.digest import json_digest

SERIES_DESCRIPTION = "BPR region annotations"
"""SeriesDescription of the published region reports, by which queries find them."""

SERIES_NUMBER = 100
"""SeriesNumber of the published region reports."""

_OBSERVER = "BodyPartRegression"


def write_regions_sr(
    series: CtSeries,
    record: CtRecord,
    slice_regions: Sequence[Sequence[str]],
    provenance: Provenance,
    target: Path,
    compatibility: Literal["corrected", "published"] = "corrected",
) -> None:
    """Write the regions of each slice as its Finding Sites; equal input gives equal bytes.

    Parameters
    ----------
    series : CtSeries
        Source series.
    record : CtRecord
        ct.json of the series.
    slice_regions : sequence of sequence of str
        Regions of each slice of ct.nii.gz, by bpreg's names.
    provenance : Provenance
        How the slices were scored.
    target : Path
        File to write.
    compatibility : {"corrected", "published"}
        Present codes, or those of the published objects.

    Raises
    ------
    EmptyReportError
        If no slice has a region.
    ValueError
        If the regions are not those of as many slices as the CT has.
    KeyError
        If a region has no code.
    """
    if len(slice_regions) != len(record.slices):
        message = f"regions of {len(slice_regions)} slices given for a CT of {len(record.slices)}"
        raise ValueError(message)
    content = json_digest([sorted(set(regions)) for regions in slice_regions])
    report = Report(
        role="regions report",
        series_description=SERIES_DESCRIPTION,
        series_number=SERIES_NUMBER,
        observer=Software(_OBSERVER, Software.parse(provenance.software).version),
        provenance=provenance,
        identity=identity(record.source_digest, provenance, content, compatibility),
    )
    evidence = source_headers(series, [entry.sop_instance_uid for entry in record.slices])
    groups = [
        MeasurementsAndQualitativeEvaluations(
            tracking_identifier=TrackingIdentifier(
                uid=report.tracking_uid(str(header.SOPInstanceUID)), identifier=f"Annotations group {index + 1}"
            ),
            algorithm_id=report.algorithm(),
            finding_sites=[finding_site(_code(region, compatibility)) for region in _in_order(regions)],
            source_images=[SourceImageForMeasurementGroup.from_source_image(header)],
        )
        for index, (header, regions) in enumerate(zip(evidence, slice_regions, strict=True))
        if regions
    ]
    report.write(groups, evidence, series, Comprehensive3DSR, target)


def _in_order(regions: Sequence[str]) -> list[str]:
    """Return regions once each, from the feet up, unknown ones last (they fail by name)."""
    known = list(region_codes())
    return sorted(set(regions), key=lambda region: (known.index(region) if region in known else len(known), region))


def _code(region: str, compatibility: Literal["corrected", "published"]) -> Code:
    code = region_codes()[region]
    return code.published if compatibility == "published" else code.site
