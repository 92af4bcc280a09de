"""Body regions as Comprehensive 3D SR: one TID 1501 group per slice that has any."""

from collections.abc import Callable, Sequence
from pathlib import Path

from ct_assets.collection import Compatibility
from ct_assets.ct_nifti.record import CtRecord
from ct_assets.dicom.authorship import software_versions
from ct_assets.dicom.codes import Code, region_codes
from ct_assets.dicom.edition import content_digest
from ct_assets.dicom.series import CtSeries
from ct_assets.dicom.written import PlannedObject
from ct_assets.dicom_sr.document import finding_site
from ct_assets.dicom_sr.slice_groups import SliceFindings, SliceReport
from ct_assets.provenance import Provenance
from ct_assets.store.digest import json_digest

NAME = "regions"
"""Name of the region report in sr/objects.json."""

REPORT = SliceReport("BPR region annotations", 100, "BodyPartRegression")
"""The published region reports, by whose description queries find them."""


def plan_regions_sr(
    series: Callable[[], CtSeries],
    record: CtRecord,
    slice_regions: Sequence[Sequence[str]],
    provenance: Provenance,
    target: Path,
    compatibility: Compatibility = "corrected",
) -> PlannedObject:
    """Plan the regions of each slice as its Finding Sites; equal input gives equal bytes.

    Parameters
    ----------
    series : callable
        Gives the source series, when the report is written.
    record : CtRecord
        ct.json of the series.
    slice_regions : sequence of sequence of str
        Regions of each slice of ct.nii.gz, by bpreg's names; without any there is no report.
    provenance : Provenance
        How the slices were scored.
    target : Path
        File to write.
    compatibility : {"corrected", "published"}
        Present codes, or those of the published objects.

    Returns
    -------
    PlannedObject
        Writing it raises InconsistentSeriesError if the series lacks instances that ct.json names.

    Raises
    ------
    ValueError
        If the regions are not those of as many slices as the CT has.
    KeyError
        If a region has no code.
    """
    if len(slice_regions) != len(record.slices):
        message = f"regions of {len(slice_regions)} slices given for a CT of {len(record.slices)}"
        raise ValueError(message)
    content = json_digest([sorted(set(regions)) for regions in slice_regions])
    findings = [
        SliceFindings(
            entry.sop_instance_uid,
            f"Annotations group {index}",
            tuple(finding_site(_code(region, compatibility)) for region in _in_order(regions)),
        )
        for index, (entry, regions) in enumerate(zip(record.slices, slice_regions, strict=True), start=1)
        if regions
    ]
    return PlannedObject(
        role="regions report",
        name=NAME,
        target=target,
        content=content_digest(record.source_digest, provenance, content, compatibility),
        software=software_versions(provenance.software),
        build=lambda edition: REPORT.build(edition, series, record, provenance, findings),
        names_predecessor=True,
        absent=None if findings else "no slice has a region",
    )


def _in_order(regions: Sequence[str]) -> list[str]:
    """Return regions once each, from the feet up, unknown ones last (they fail by name)."""
    known = list(region_codes())
    return sorted(set(regions), key=lambda region: (known.index(region) if region in known else len(known), region))


def _code(region: str, compatibility: Compatibility) -> Code:
    code = region_codes()[region]
    return code.published if compatibility == "published" else code.site
