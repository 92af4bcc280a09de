"""Damage for fuzz tests: how many examples, and the ways in which bytes are broken.

CI tries the same few examples each time. Before a release: CT_ASSETS_FUZZ_EXAMPLES=20000 pytest tests/security
"""

import os
import struct
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import BytesIO
from typing import Any

import pydicom
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from pydicom.dataelem import RawDataElement

_CHOSEN = os.environ.get("CT_ASSETS_FUZZ_EXAMPLES")
_UNDEFINED = b"\xff\xff\xff\xff"

TOKENS = [
    *(
        _UNDEFINED,
        b"\xfe\xff\xff\xff",
        b"\0\0\0\x80",
        b"\0\0\0\0",
        b"\xff\xff",
        b"\\",
        b"\x1b$B",
        b"\0",
        b"nan",
        b"1e999",
    ),
    *(b"\xfe\xff\x00\xe0" + _UNDEFINED, b"\xfe\xff\x0d\xe0\0\0\0\0", b"\xfe\xff\xdd\xe0\0\0\0\0"),
    *(
        b"SQ\0\0" + _UNDEFINED,
        b"UN\0\0" + _UNDEFINED,
        b"OB\0\0" + _UNDEFINED,
        b"ZZ",
        b"UL",
        b"FD",
        b"AT",
        b"ISO_IR 192",
    ),
    *(b"\xe0\x7f\x10\x00", b"\x08\x00\x05\x00", b"\x02\x00\x10\x00", b"1.2.840.10008.1.2.1.99", b"1.2.840.10008.1.2.2"),
]
"""What breaks the structure of a DICOM file where it is put in."""

VALUES = [
    *(
        b"",
        b"\0",
        b" ",
        b"\\",
        b"-",
        b"nan",
        b"inf",
        b"-1e999",
        b"1e308",
        b"0",
        b"-1",
        b"65535",
        b"2147483647",
        b"9" * 40,
    ),
    *(
        b"1\\2",
        b"1\\2\\3",
        b"0\\0\\0\\0\\0\\0",
        b"\xff\xff",
        b"\xff\xff\xff\xff",
        b"\xe4\xf6",
        b"../../../etc/passwd",
        b"1.2.3",
    ),
    *(b"BINARY", b"FRACTIONAL", b"LABELMAP", b"x" * 70_000, "٣".encode(), b"\x00\x80", b"\0\0", b"\1\0", b"\x40\0"),
]
"""Values that an element may have and none should."""


def fuzz(examples: int) -> settings:
    """Return the settings of a fuzz test: a number of examples for CI, or what was asked for."""
    return settings(
        max_examples=int(_CHOSEN or examples),
        deadline=None,
        derandomize=not _CHOSEN,
        database=None,
        phases=[Phase.generate],  # what fails is small as it is, and shrinking it takes minutes
        suppress_health_check=list(HealthCheck),
    )


def damaged_bytes(data: st.DataObject, content: bytes, tokens: Sequence[bytes]) -> bytes:
    """Break bytes in one to four places."""
    broken = bytearray(content)
    for _ in range(data.draw(st.integers(1, 4))):
        if not broken:
            break
        at = data.draw(st.integers(0, len(broken) - 1))
        match data.draw(st.sampled_from(["flip", "overwrite", "insert", "remove", "cut", "repeat", "nest", "length"])):
            case "flip":
                broken[at] ^= 1 << data.draw(st.integers(0, 7))
            case "overwrite":
                token = data.draw(st.sampled_from(tokens))
                broken[at : at + len(token)] = token
            case "insert":
                broken[at:at] = data.draw(st.sampled_from(tokens))
            case "remove":
                del broken[at : at + data.draw(st.sampled_from([1, 2, 4, 8, 20, 200]))]
            case "cut":
                del broken[at:]
            case "repeat":
                times = data.draw(st.sampled_from([1, 3, 100]))
                broken[at:at] = broken[at : at + data.draw(st.sampled_from([8, 12, 30, 100]))] * times
            case "nest":
                broken[at:at] = data.draw(st.sampled_from(tokens)) * data.draw(st.sampled_from([10, 500, 3000]))
            case "length":
                length = data.draw(st.sampled_from([0, 1, 3, 255, 2**16 - 1, 2**24, 2**31 - 1, 2**31, 2**32 - 2]))
                broken[at : at + 4] = struct.pack("<L", length)
    return bytes(broken)


def damaged_dataset(data: st.DataObject, content: bytes) -> bytes:
    """Break the values of one to three elements, at any depth, and write the file as if nothing had happened."""
    with quiet():
        return _with_values(data, pydicom.dcmread(BytesIO(content)))


def _with_values(data: st.DataObject, dataset: pydicom.Dataset) -> bytes:
    places = list(_elements(dataset))
    for _ in range(data.draw(st.integers(1, 3))):
        holder, tag = data.draw(st.sampled_from(places))
        if tag not in holder:
            continue
        vr = holder.get_item(tag).VR
        match data.draw(st.sampled_from(["value", "remove", "repeat", "empty"])):
            case "remove":
                del holder[tag]
            case "repeat" if vr == "SQ":
                holder[tag].value.extend(list(holder[tag].value) * data.draw(st.sampled_from([1, 3])))
            case "empty" if vr == "SQ":
                holder[tag].value = []
            case _ if vr != "SQ":
                value = data.draw(st.sampled_from(VALUES) | st.binary(max_size=12))
                value += b"\0" * (len(value) % 2)
                holder._dict[tag] = RawDataElement(tag, vr, len(value), value, 0, False, True)
    target = BytesIO()
    pydicom.dcmwrite(target, dataset)
    return target.getvalue()


def _elements(dataset: pydicom.Dataset) -> Iterator[tuple[pydicom.Dataset, Any]]:
    for element in dataset:
        yield dataset, element.tag
        if element.VR == "SQ":
            for item in element.value:
                yield from _elements(item)


@contextmanager
def quiet() -> Iterator[None]:
    """Without pydicom's warnings of what is damaged."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
