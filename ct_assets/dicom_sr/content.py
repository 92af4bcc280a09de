"""Content items as DICOM JSON: what they are called and what they say; nothing where a file leaves it out."""

from collections.abc import Iterator
from typing import Any

from ct_assets.dicom_sr.dicom_json import Item

CodeStruct = dict[str, str | None]
"""Coded concept as the published tables have it: CodeValue, CodingSchemeDesignator, CodeMeaning."""

_CODE_VALUES = ("00080100", "00080119", "00080120")
"""CodeValue, LongCodeValue, URNCodeValue: an item has one of them."""


def first(item: Item, tag: str) -> Any:
    """Return the first value of an element, None where there is none."""
    values = item.get(tag, {}).get("Value")
    return values[0] if values else None


def text(item: Item, tag: str) -> str | None:
    """Return the first value of an element as text, None where there is none."""
    value = first(item, tag)
    return None if value is None else str(value)


def items_of(item: Item, tag: str) -> list[Item]:
    """Return the items of a sequence."""
    element = item.get(tag, {})
    return element.get("Value") or [] if element.get("vr") == "SQ" else []


def children(item: Item) -> list[Item]:
    """Return the content items below one."""
    return items_of(item, "0040A730")


def value_type(item: Item) -> str | None:
    """Return the ValueType of a content item, such as NUM."""
    return text(item, "0040A040")


def name(item: Item) -> str | None:
    """Return the code value of a content item's concept name."""
    concept = code(item, "0040A043")
    return concept["CodeValue"] if concept else None


def code(item: Item, tag: str = "0040A168") -> CodeStruct | None:
    """Return the first code of a code sequence, by default ConceptCodeSequence: what an item of type CODE says."""
    codes = items_of(item, tag)
    if not codes:
        return None
    return {
        "CodeValue": next((value for kind in _CODE_VALUES if (value := text(codes[0], kind))), None),
        "CodingSchemeDesignator": text(codes[0], "00080102"),
        "CodeMeaning": text(codes[0], "00080104"),
    }


def referenced_instances(element: Any) -> Iterator[str]:
    """Yield every ReferencedSOPInstanceUID at any depth of items or of elements."""
    for item in element if isinstance(element, list) else [element]:
        uid = text(item, "00081155")
        if uid is not None:
            yield uid
        for nested in item.values():
            if nested["vr"] == "SQ":
                yield from referenced_instances(nested["Value"])
