"""Attributes of one header as the index has them; a value that does not fit is left out and becomes a problem."""

import math
import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from ct_assets.dicom.references import referenced_series

if TYPE_CHECKING:  # pydicom takes a second to import, which processes that read many sound headers are spared
    import pydicom

_LARGEST_WHOLE = 2**31 - 1
_DECIMAL = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)


class Attribute(NamedTuple):
    """An attribute, and how the index has it.

    `convert` takes the values of an element, at least one, and raises ValueError, TypeError or OverflowError if they
    are not what is `expected`.
    """

    keyword: str
    tag: int
    vr: str
    expected: str
    convert: Callable[[list[Any]], Any]


def attributes(dataset: "pydicom.Dataset") -> tuple[dict[str, Any], list[str]]:
    """Take the attributes of the header index from a header, whatever it holds.

    Parameters
    ----------
    dataset : Dataset
        Header, with the elements in `READ`.

    Returns
    -------
    values : dict
        Value by keyword; None where it is missing or does not fit.
    problems : list of str
        What does not fit, each naming the attribute and its number of values; the file is the subject.
    """
    values: dict[str, Any] = {}
    problems: list[str] = []
    for attribute in ATTRIBUTES:
        values[attribute.keyword] = None
        try:
            parts = _parts(dataset.get(attribute.keyword))
        except Exception as error:
            reason = f"cannot be read ({type(error).__name__}: {error})"
            problems.append(f"has {attribute.keyword} that {reason}, not {attribute.expected}")
            continue
        try:
            values[attribute.keyword] = attribute.convert(parts) if parts else None
        except (TypeError, ValueError, OverflowError):
            count = f"{len(parts)} value{'s' if len(parts) != 1 else ''}"
            problems.append(f"has {attribute.keyword} with {count}, not {attribute.expected}")
    try:
        values["ReferencedSeriesInstanceUID"] = referenced_series(dataset) or None
    except Exception as error:
        values["ReferencedSeriesInstanceUID"] = None
        problems.append(f"has references to series that cannot be read ({type(error).__name__}: {error})")
    return values, problems


def _parts(value: Any) -> list[Any]:
    """Return the values of an element, none where it is missing or empty."""
    if value is None or value == "":
        return []
    return list(value) if isinstance(value, Sequence) and not isinstance(value, str | bytes) else [value]


def _one(parts: list[Any]) -> str:
    (part,) = parts
    return str(part)


def _whole(parts: list[Any]) -> int:
    (part,) = parts
    number = int(part)
    if not 0 <= number <= _LARGEST_WHOLE:
        message = f"{number} is out of range"
        raise ValueError(message)
    return number


def _decimals(parts: list[Any], count: int) -> list[str]:
    """Return decimal strings as they are written, without padding."""
    texts = [str(part).strip() for part in parts]
    if len(texts) != count or not all(_DECIMAL.fullmatch(text) and math.isfinite(float(text)) for text in texts):
        message = f"{count} finite numbers expected"
        raise ValueError(message)
    return texts


def _spacing(parts: list[Any]) -> list[str]:
    texts = _decimals(parts, 2)
    if min(map(float, texts)) <= 0:
        message = "numbers above 0 expected"
        raise ValueError(message)
    return texts


ATTRIBUTES = (
    Attribute("PatientID", 0x00100020, "LO", "1", _one),
    Attribute("StudyInstanceUID", 0x0020000D, "UI", "1", _one),
    Attribute("SeriesInstanceUID", 0x0020000E, "UI", "1", _one),
    Attribute("SOPInstanceUID", 0x00080018, "UI", "1", _one),
    Attribute("SOPClassUID", 0x00080016, "UI", "1", _one),
    Attribute("Modality", 0x00080060, "CS", "1", _one),
    Attribute("FrameOfReferenceUID", 0x00200052, "UI", "1", _one),
    Attribute("Rows", 0x00280010, "US", "1 whole number", _whole),
    Attribute("Columns", 0x00280011, "US", "1 whole number", _whole),
    Attribute("NumberOfFrames", 0x00280008, "IS", "1 whole number", _whole),
    Attribute("BitsAllocated", 0x00280100, "US", "1 whole number", _whole),
    Attribute("SamplesPerPixel", 0x00280002, "US", "1 whole number", _whole),
    Attribute("SeriesDescription", 0x0008103E, "LO", "text", lambda parts: "\\".join(map(str, parts))),
    Attribute("ImageType", 0x00080008, "CS", "texts", lambda parts: [str(part) for part in parts]),
    Attribute("SliceThickness", 0x00180050, "DS", "1 finite number", lambda parts: _decimals(parts, 1)[0]),
    Attribute("ImagePositionPatient", 0x00200032, "DS", "3 finite numbers", lambda parts: _decimals(parts, 3)),
    Attribute("ImageOrientationPatient", 0x00200037, "DS", "6 finite numbers", lambda parts: _decimals(parts, 6)),
    Attribute("PixelSpacing", 0x00280030, "DS", "2 numbers above 0", _spacing),
)
"""What the index has of a header, and the few that tell how many bytes the pixels take."""

_REFERENCED_SERIES, _REFERENCED_FRAMES_OF_REFERENCE = 0x00081115, 0x30060010

READ: list[Any] = [*(attribute.tag for attribute in ATTRIBUTES), _REFERENCED_SERIES, _REFERENCED_FRAMES_OF_REFERENCE]
"""Tags that `attributes` looks at; the others need not be read."""
