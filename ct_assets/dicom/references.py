"""Which instances an object refers to, wherever in it."""

from collections.abc import Iterator

import pydicom


def referenced_instances(dataset: pydicom.Dataset) -> set[str]:
    """Return the SOPInstanceUIDs that an object refers to, at any depth.

    Parameters
    ----------
    dataset : Dataset
        The object.
    """
    return set(_references(dataset))


def _references(dataset: pydicom.Dataset) -> Iterator[str]:
    referenced = dataset.get("ReferencedSOPInstanceUID")
    if referenced:
        yield str(referenced)
    for element in dataset:
        if element.VR == "SQ":
            for item in element.value:
                yield from _references(item)
