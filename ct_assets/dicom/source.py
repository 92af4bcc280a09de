"""What our objects take over from the CT: references, patient and study attributes, and the moment they are dated."""

from collections.abc import Sequence

import pydicom
from highdicom import SpecificCharacterSetValues
from pydicom.valuerep import DA, TM

from ct_assets.dicom.edition import ObjectReference, reference_of
from ct_assets.dicom.series import CtSeries, InconsistentSeriesError
from ct_assets.dicom.uids import derived_uid

UNKNOWN_DATE = "19000101"
"""Date of an object whose source has no date at all; ContentDate must not be empty (PS3.3 C.8.20.2, C.17.2)."""

UNKNOWN_TIME = "000000"
"""Time of an object whose source has a date without time."""

_EMPTY_IF_MISSING = (
    "PatientID",
    "PatientName",
    "PatientBirthDate",
    "PatientSex",
    "AccessionNumber",
    "StudyID",
    "StudyDate",
    "StudyTime",
    "ReferringPhysicianName",
)
_DATED_BY = ("Series", "Acquisition", "Content", "Study", "InstanceCreation")


def source_headers(series: CtSeries, sop_instance_uids: Sequence[str]) -> list[pydicom.Dataset]:
    """Return the headers of some instances, completed so that highdicom can derive an object from them.

    Attributes of type 2 that are missing become empty, and values that no object may carry on (a sex that is none of
    M, F and O, an impossible date) do too. A missing FrameOfReferenceUID, which SEG requires, is derived from the
    SeriesInstanceUID. PatientName is empty, because highdicom quotes unusual names in warnings, which end in logs;
    `finish` restores it.

    Parameters
    ----------
    series : CtSeries
        The series.
    sop_instance_uids : sequence of str
        Wanted instances.

    Returns
    -------
    list of Dataset
        Copies, in the order asked for; the series keeps its own.

    Raises
    ------
    InconsistentSeriesError
        If the series lacks one of the instances or its StudyInstanceUID.
    """
    return [_completed(header) for header in _headers(series, sop_instance_uids)]


def source_evidence(series: CtSeries, sop_instance_uids: Sequence[str]) -> list[pydicom.Dataset]:
    """Return what a report says of the instances that it is about: the first header completed, of the others the UIDs.

    Parameters
    ----------
    series : CtSeries
        The series.
    sop_instance_uids : sequence of str
        Wanted instances.

    Returns
    -------
    list of Dataset
        In the order asked for.

    Raises
    ------
    InconsistentSeriesError
        If the series lacks one of the instances or its StudyInstanceUID.
    """
    first, *others = _headers(series, sop_instance_uids)
    return [_completed(first), *(as_evidence(reference_of(header)) for header in others)]


def as_evidence(reference: ObjectReference) -> pydicom.Dataset:
    """Return the UIDs of an object as a dataset, which is all that highdicom needs of what a report refers to.

    Parameters
    ----------
    reference : ObjectReference
        The object.
    """
    dataset = pydicom.Dataset()
    dataset.SOPClassUID = reference.sop_class_uid
    dataset.SOPInstanceUID = reference.sop_instance_uid
    dataset.SeriesInstanceUID = reference.series_instance_uid
    dataset.StudyInstanceUID = reference.study_instance_uid
    return dataset


def source_moment(header: pydicom.Dataset) -> tuple[str, str]:
    """Return the date and time that an object made from a source carries, so that they are the same every time.

    Parameters
    ----------
    header : Dataset
        Header of the first slice.

    Returns
    -------
    date, time : str
        DA and TM: those of the series, else of the acquisition, content, study or creation, else `UNKNOWN_DATE`.
    """
    for event in _DATED_BY:
        date = str(header.get(f"{event}Date") or "")
        if date and _valid(DA, date):
            time = str(header.get(f"{event}Time") or "")
            return date, time if time and _valid(TM, time) else UNKNOWN_TIME
    return UNKNOWN_DATE, UNKNOWN_TIME


def finish(dataset: pydicom.Dataset, series: CtSeries) -> None:
    """Name the patient as the source does, and replace the moments that highdicom takes from the clock.

    Parameters
    ----------
    dataset : Dataset
        Object made by highdicom from `source_headers`; changed in place.
    series : CtSeries
        Its source.
    """
    date, time = source_moment(series.header)
    dataset.PatientName = series.header.get("PatientName", "")
    dataset.InstanceCreationDate, dataset.InstanceCreationTime = date, time
    dataset.ContentDate, dataset.ContentTime = date, time
    dataset.SeriesDate, dataset.SeriesTime = date, time
    for equipment in dataset.get("ContributingEquipmentSequence", []):
        if equipment.get("ManufacturerModelName") == "highdicom":
            del equipment.ContributionDateTime


def set_value(header: pydicom.Dataset, keyword: str, value: object) -> None:
    """Set an attribute of a copied header, whose elements are still those of the original.

    Plain assignment would change the value within the element and so the original too.

    Parameters
    ----------
    header : Dataset
        Copy; changed in place.
    keyword : str
        Keyword of the attribute.
    value : object
        Its new value.
    """
    header.pop(keyword, None)
    setattr(header, keyword, value)


def _headers(series: CtSeries, sop_instance_uids: Sequence[str]) -> list[pydicom.Dataset]:
    headers = {instance.sop_instance_uid: instance.header for instance in series.instances}
    absent = [uid for uid in sop_instance_uids if uid not in headers]
    if absent:
        message = (
            f"series {series.series_instance_uid} lacks {len(absent)} of the instances that ct.json names, "
            f"first {absent[0]}; materialize ct_nifti again"
        )
        raise InconsistentSeriesError(message)
    if not series.header.get("StudyInstanceUID"):
        message = f"series {series.series_instance_uid} has no StudyInstanceUID, so nothing can be filed beside it"
        raise InconsistentSeriesError(message)
    return [headers[uid] for uid in sop_instance_uids]


def _completed(header: pydicom.Dataset) -> pydicom.Dataset:
    completed = pydicom.Dataset()
    completed.update(header)
    for keyword in _EMPTY_IF_MISSING:
        if keyword not in completed:
            set_value(completed, keyword, "")
    for keyword, kind in (("PatientBirthDate", DA), ("StudyDate", DA), ("StudyTime", TM)):
        if not _valid(kind, str(completed[keyword].value or "")):
            set_value(completed, keyword, "")
    set_value(completed, "PatientName", "")
    if completed.PatientSex not in ("M", "F", "O"):
        set_value(completed, "PatientSex", "")
    if not completed.get("FrameOfReferenceUID"):
        frame_of_reference = derived_uid("frame of reference", str(completed.SeriesInstanceUID))
        set_value(completed, "FrameOfReferenceUID", frame_of_reference)
    if not _known_character_set(completed):
        set_value(completed, "SpecificCharacterSet", "ISO_IR 192")
    return completed


def _known_character_set(header: pydicom.Dataset) -> bool:
    value = header.get("SpecificCharacterSet")
    if value is None:
        return True
    names = [value] if isinstance(value, str) else list(value)
    known = {entry.value for entry in SpecificCharacterSetValues}
    return bool(names) and all(name in known for name in names)


def _valid(kind: type[DA] | type[TM], text: str) -> bool:
    try:
        kind(text)
    except ValueError:
        return False
    return True
