"""Datasets as DICOM JSON (PS3.18, F), the form in which reports are parsed: every element is read once."""

from collections.abc import Iterable
from typing import Any

import pydicom
from pydicom.dataelem import RawDataElement
from pydicom.tag import BaseTag

Item = dict[str, Any]
"""Dataset of a sequence: tag as eight hexadecimal digits -> element."""

_CHARACTER_SET = 0x00080005
_UNDEFINED_LENGTH = 0xFFFFFFFF
_Known = dict[tuple[int, str | None, bytes], Item]


def to_dicom_json(dataset: pydicom.Dataset, tags: Iterable[int] | None = None) -> Item:
    """Return what ``Dataset.to_json_dict`` does, in a third of its time for a report of hundreds of groups.

    Their items are the same codes over and over, so elements of equal bytes are converted once and then shared: the
    answer must not be changed.

    Parameters
    ----------
    dataset : Dataset
        Dataset as pydicom has read it.
    tags : iterable of int, optional
        Elements to take, by default all.

    Returns
    -------
    dict
        DICOM JSON.

    Raises
    ------
    EOFError
        If an element is cut off.
    """
    elements = _raw_elements(dataset)
    if tags is not None:
        elements = {tag: elements[tag] for tag in map(BaseTag, tags) if tag in elements}
    return _convert(dataset, elements, {})


def _raw_elements(dataset: pydicom.Dataset) -> dict[BaseTag, object]:
    """Return the elements as they are, those of the file still as bytes."""
    return dict(dataset.items())


def _convert(dataset: pydicom.Dataset, elements: dict[BaseTag, object], known: _Known) -> Item:
    if _CHARACTER_SET in elements:
        known = {}  # the same bytes are other text here
    converted: Item = {}
    for tag, raw in elements.items():
        if isinstance(raw, RawDataElement) and raw.value is not None:
            if raw.length not in (len(raw.value), _UNDEFINED_LENGTH):  # which pydicom passes over
                message = f"{BaseTag(tag)} has {len(raw.value)} of {raw.length} bytes"
                raise EOFError(message)
            key = (int(tag), raw.VR, raw.value)
            element = known.get(key)
            if element is None:
                element = known[key] = _element(dataset[tag], known)
        else:
            element = _element(dataset[tag], known)
        converted[f"{tag:08X}"] = element
    return converted


def _element(element: pydicom.DataElement, known: _Known) -> Item:
    if element.VR == "SQ":
        return {"vr": "SQ", "Value": [_convert(item, _raw_elements(item), known) for item in element.value]}
    return element.to_json_dict(None, 0)
