"""Attributes of one header as the index has them; a value that does not fit is left out and becomes a problem."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pydicom

_TEXT = (
    "PatientID",
    "StudyInstanceUID",
    "SeriesInstanceUID",
    "SOPInstanceUID",
    "SOPClassUID",
    "Modality",
    "FrameOfReferenceUID",
)
_WHOLE = ("Rows", "Columns", "NumberOfFrames", "BitsAllocated", "SamplesPerPixel")
_LARGEST_WHOLE = 2**31 - 1
_COSINE_TOLERANCE = 1e-2

READ: list[Any] = [
    *_TEXT,
    *_WHOLE,
    "SeriesDescription",
    "ImageType",
    "SliceThickness",
    "ImagePositionPatient",
    "ImageOrientationPatient",
    "PixelSpacing",
    "ReferencedSeriesSequence",
]
"""Keywords that `attributes` looks at; the others need not be read."""


def attributes(dataset: pydicom.Dataset) -> tuple[dict[str, Any], list[str]]:
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

    def take(keyword: str, expected: str, convert: Callable[[list[Any]], Any]) -> None:
        values[keyword] = None
        try:
            parts = _parts(dataset.get(keyword))
        except Exception as error:
            problems.append(f"has {keyword} that cannot be read ({type(error).__name__}: {error}), not {expected}")
            return
        try:
            values[keyword] = convert(parts) if parts else None
        except (TypeError, ValueError, OverflowError):
            count = f"{len(parts)} value{'s' if len(parts) != 1 else ''}"
            problems.append(f"has {keyword} with {count}, not {expected}")

    for keyword in _TEXT:
        take(keyword, "1", lambda parts: str(_one(parts)))
    for keyword in _WHOLE:
        take(keyword, "1 whole number", lambda parts: _whole(_one(parts)))
    take("SeriesDescription", "text", lambda parts: "\\".join(map(str, parts)))
    take("ImageType", "texts", lambda parts: [str(part) for part in parts])
    take("SliceThickness", "1 finite number", lambda parts: _finite(parts, 1)[0])
    take("ImagePositionPatient", "3 finite numbers", lambda parts: _finite(parts, 3))
    take("ImageOrientationPatient", "the 6 cosines of orthogonal unit vectors", _cosines)
    take("PixelSpacing", "2 numbers above 0", _spacing)
    take("ReferencedSeriesSequence", "a sequence of series", lambda parts: parts)
    references = values.pop("ReferencedSeriesSequence") or [pydicom.Dataset()]
    referenced, found = references[0].get("SeriesInstanceUID"), "ReferencedSeriesInstanceUID"
    values[found] = str(referenced) if referenced else None
    return values, problems


def _parts(value: Any) -> list[Any]:
    """Return the values of an element, none where it is missing or empty."""
    if value is None or value == "":
        return []
    return list(value) if isinstance(value, Sequence) and not isinstance(value, str | bytes) else [value]


def _one(parts: list[Any]) -> Any:
    (part,) = parts
    return part


def _whole(part: Any) -> int:
    number = int(part)
    if not 0 <= number <= _LARGEST_WHOLE:
        message = f"{number} is out of range"
        raise ValueError(message)
    return number


def _finite(parts: list[Any], count: int) -> list[float]:
    numbers = [float(part) for part in parts]
    if len(numbers) != count or not np.isfinite(numbers).all():
        message = f"{count} finite numbers expected"
        raise ValueError(message)
    return numbers


def _cosines(parts: list[Any]) -> list[float]:
    numbers = _finite(parts, 6)
    row, column = np.asarray(numbers[:3]), np.asarray(numbers[3:])
    off = [np.linalg.norm(row) - 1, np.linalg.norm(column) - 1, row @ column]
    if np.abs(off).max() > _COSINE_TOLERANCE:
        message = "orthogonal unit vectors expected"
        raise ValueError(message)
    return numbers


def _spacing(parts: list[Any]) -> list[float]:
    numbers = _finite(parts, 2)
    if min(numbers) <= 0:
        message = "numbers above 0 expected"
        raise ValueError(message)
    return numbers
