"""What an SR may refer to: the CT, the SEGs made from it or measured, and the documents that it replaces."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import pydicom
from pydicom.errors import InvalidDicomError

from ct_assets.ct_nifti.record import read_ct_record
from ct_assets.dicom_sr.read import MeasurementReport
from ct_assets.store.paths import SeriesFolder

_SOP_INSTANCE_UID = 0x00080018


def unknown_references(
    folder: SeriesFolder, reports: Iterable[MeasurementReport], other_segs: Mapping[str, Sequence[Path]]
) -> Iterator[str]:
    """Name the SRs that refer to other instances, anywhere in their content and evidence, or to another series.

    Parameters
    ----------
    folder : SeriesFolder
        The series.
    reports : iterable of MeasurementReport
        Its SRs.
    other_segs : mapping of str to sequence of Path
        Model -> SEGs from elsewhere that its SR may refer to.

    Yields
    ------
    str
        Name of the SR and how many instances are unknown.
    """
    record = read_ct_record(folder.ct_record)
    ct = {entry.sop_instance_uid for entry in record.slices}
    known = ct | _instances(sorted((folder.path / "seg").glob("*.dcm")))
    others = {folder.features_sr(model): files for model, files in other_segs.items()}
    for report in reports:
        unknown = report.referenced - report.predecessors - known
        if unknown and report.path in others:
            unknown -= _instances(others[report.path])
        if unknown:
            yield f"{report.path.name}: refers to {len(unknown)} instances that are neither in the CT nor its SEGs"
        segmented = {group.source_series for group in report.groups} - {None, record.series_instance_uid}
        if segmented:
            yield f"{report.path.name}: measures segments of {len(segmented)} other series"


def _instances(segs: Iterable[Path]) -> set[str]:
    """Return the SOPInstanceUIDs of files, of which no more is read; none of a file that is no DICOM."""
    found = set()
    for path in segs:
        try:
            header = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=[_SOP_INSTANCE_UID])
        except (InvalidDicomError, OSError):
            continue
        found.add(str(header.get("SOPInstanceUID", "")))
    return found
