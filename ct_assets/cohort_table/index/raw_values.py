"""Raw values: what an element of an ordinary header holds, from its bytes, as pydicom would tell."""

import re

_ORDINARY = {
    "UI": re.compile(rb"[0-9.\\]*"),
    "CS": re.compile(rb"[ -~]*"),
    "LO": re.compile(rb"[ -~]*"),
    "DS": re.compile(rb"[0-9eE.+\- \\]*"),
    "IS": re.compile(rb"[0-9+\- \\]*"),
}
"""What a value may consist of, by VR; padding comes behind it."""

_ASCII_COMPATIBLE = frozenset(
    (
        *("", "ISO_IR 6", "ISO_IR 192", "GB18030", "GBK"),
        *(f"ISO_IR {number}" for number in (100, 101, 109, 110, 126, 127, 138, 144, 148, 166)),
        *(
            f"ISO 2022 IR {number}"
            for number in (6, 58, 87, 100, 101, 109, 110, 126, 127, 138, 144, 148, 149, 159, 166)
        ),
    )
)
"""Character sets in which bytes below 128 without escape sequences are ASCII."""


def raw_values(vr: str, raw: bytes) -> list[str] | list[int]:
    """Return the values of an element.

    Parameters
    ----------
    vr : str
        UI, CS, LO, DS, IS or US.
    raw : bytes
        Value field, little endian.

    Returns
    -------
    list of str, or of int for US
        Empty where the element is. Decimal and integer strings are as written.

    Raises
    ------
    ValueError
        If the value is unusual.
    """
    if vr == "US":
        if len(raw) not in {0, 2}:
            message = "one number expected"
            raise ValueError(message)
        return [int.from_bytes(raw, "little")] if raw else []
    value = raw.rstrip(b" \0")
    if not _ORDINARY[vr].fullmatch(value):
        message = "unusual characters"
        raise ValueError(message)
    if not value:
        return []
    texts = value.decode("ascii").split("\\")
    return [text.rstrip(" ") for text in texts] if vr == "LO" else texts


def is_ascii_compatible(raw: bytes) -> bool:
    """Tell whether texts without escape sequences and bytes above 127 can be read as ASCII.

    Parameters
    ----------
    raw : bytes
        Value field of SpecificCharacterSet.
    """
    value = raw.rstrip(b" \0")
    return value.isascii() and all(name in _ASCII_COMPATIBLE for name in value.decode("ascii").split("\\"))
