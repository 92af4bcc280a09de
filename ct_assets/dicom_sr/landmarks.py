"""Landmarks as Comprehensive 3D SR: one TID 1501 group per slice that has any."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pandas as pd

from ct_assets.collection import Compatibility
from ct_assets.ct_nifti.record import CtRecord
from ct_assets.dicom.authorship import software_versions
from ct_assets.dicom.codes import landmark_codes
from ct_assets.dicom.edition import content_digest
from ct_assets.dicom.series import CtSeries
from ct_assets.dicom.written import PlannedObject
from ct_assets.dicom_sr.document import finding_site
from ct_assets.dicom_sr.slice_groups import SliceFindings, SliceReport
from ct_assets.provenance import Provenance
from ct_assets.store.digest import json_digest

NAME = "landmarks"
"""Name of the landmark report in sr/objects.json."""

REPORT = SliceReport("BPR landmark annotations", 101, "BodyPartRegression_landmarks")
"""The published landmark reports, by whose description queries find them."""


def plan_landmarks_sr(
    series: Callable[[], CtSeries],
    record: CtRecord,
    landmarks: pd.DataFrame,
    provenance: Provenance,
    target: Path,
    compatibility: Compatibility = "corrected",
) -> PlannedObject:
    """Plan the located landmarks, each as Finding Site of the slice nearest to it; equal input gives equal bytes.

    Parameters
    ----------
    series : callable
        Gives the source series, when the report is written.
    record : CtRecord
        ct.json of the series.
    landmarks : DataFrame
        Rows of the table LANDMARKS; those that are not located are left out, and without any there is no report.
    provenance : Provenance
        How the slices were scored.
    target : Path
        File to write.
    compatibility : {"corrected", "published"}
        Valid codes, or those of the published objects.

    Returns
    -------
    PlannedObject
        Writing it raises InconsistentSeriesError if the series lacks instances that ct.json names.

    Raises
    ------
    KeyError
        If a landmark has no code, or lies on an instance that ct.json does not name.
    """
    located = landmarks[landmarks["located"].astype(bool)]
    order = {entry.sop_instance_uid: index for index, entry in enumerate(record.slices)}
    rows = sorted(
        zip(located["SOPInstanceUID"].astype(str), located["landmark"].astype(str), strict=True),
        key=lambda row: (order[row[0]], row[1]),
    )
    findings = _findings(rows, compatibility)
    return PlannedObject(
        role="landmarks report",
        name=NAME,
        target=target,
        content=content_digest(record.source_digest, provenance, json_digest(rows), compatibility),
        software=software_versions(provenance.software),
        build=lambda edition: REPORT.build(edition, series, record, provenance, findings),
        names_predecessor=True,
        absent=None if findings else "no landmark is located",
    )


def _findings(rows: Sequence[tuple[str, str]], compatibility: Compatibility) -> list[SliceFindings]:
    by_instance: dict[str, list[str]] = {}
    for instance, landmark in rows:
        by_instance.setdefault(instance, []).append(landmark)
    found = []
    for number, (instance, names) in enumerate(by_instance.items(), start=1):
        codes = [landmark_codes()[name] for name in names]
        sites = [
            finding_site(code.published_site, code.published_modifier)
            if compatibility == "published"
            else finding_site(code.site, code.modifier)
            for code in codes
        ]
        found.append(SliceFindings(instance, f"Annotations group landmarks {number}", tuple(sites)))
    return found
