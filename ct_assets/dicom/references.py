"""Which instances and series an object refers to, wherever in it."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # processes that read many sound headers need none of pydicom
    import pydicom


def referenced_instances(dataset: "pydicom.Dataset") -> set[str]:
    """Return the SOPInstanceUIDs that an object refers to, at any depth.

    Parameters
    ----------
    dataset : Dataset
        The object.
    """
    return set(_references(dataset))


def _references(dataset: "pydicom.Dataset") -> Iterator[str]:
    referenced = dataset.get("ReferencedSOPInstanceUID")
    if referenced:
        yield str(referenced)
    for element in dataset:
        if element.VR == "SQ":
            for item in element.value:
                yield from _references(item)


def referenced_series(dataset: "pydicom.Dataset") -> list[str]:
    """Return the SeriesInstanceUIDs of the images that a SEG or RTSTRUCT refers to, each once, in order.

    A SEG lists them by themselves (PS3.3 C.12.1.1.11), an RTSTRUCT by frame of reference and study (PS3.3 C.8.8.5).

    Parameters
    ----------
    dataset : Dataset
        The object, or its header.
    """
    series = [
        *(dataset.get("ReferencedSeriesSequence") or []),
        *(
            series
            for frame_of_reference in dataset.get("ReferencedFrameOfReferenceSequence") or []
            for study in frame_of_reference.get("RTReferencedStudySequence") or []
            for series in study.get("RTReferencedSeriesSequence") or []
        ),
    ]
    uids = (str(item.get("SeriesInstanceUID") or "") for item in series)
    return list(dict.fromkeys(uid for uid in uids if uid))
