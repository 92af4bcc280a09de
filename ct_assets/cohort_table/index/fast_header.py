"""Fast header: hop over the elements of an ordinary DICOM file and pick the few that are wanted, as raw bytes.

pydicom makes an object of every element; this makes none, and takes a tenth of the time. It vouches only for what is
ordinary: whatever is unusual, damaged or hostile makes it give up, and pydicom judges the file.
"""

import os
import struct
from typing import NamedTuple

IMPLICIT_VR = b"1.2.840.10008.1.2"
"""Transfer syntax Implicit VR Little Endian."""

EXPLICIT_VR = b"1.2.840.10008.1.2.1"
"""Transfer syntax Explicit VR Little Endian."""

COMPRESSED = frozenset(
    f"1.2.840.10008.1.2.{number}".encode()
    for number in (
        *("4.50", "4.51", "4.57", "4.70"),  # JPEG
        *("4.80", "4.81"),  # JPEG-LS
        *("4.90", "4.91"),  # JPEG 2000
        *("4.201", "4.202", "4.203"),  # high-throughput JPEG 2000
        "5",  # RLE
    )
)
"""Transfer syntaxes of compressed pixels, with an explicit VR little endian header."""

CHARACTER_SET = 0x00080005
"""Tag of SpecificCharacterSet, which is always picked: other texts are understood only with it."""

LONGEST_VALUE = 1024
"""Longest value that is picked, in bytes."""

_WINDOW, _LARGEST_WINDOW = 2**13, 2**22
_DEEPEST_SEQUENCE = 8
_UNDEFINED = 2**32 - 1
_GROUP_LENGTH = bytes.fromhex("0200 0000") + b"UL" + bytes.fromhex("0400")
_MEDIA_SOP_CLASS, _TRANSFER_SYNTAX = 0x00020002, 0x00020010
_META = {_MEDIA_SOP_CLASS: b"UI", _TRANSFER_SYNTAX: b"UI"}
_BEFORE_META, _LAST_OF_META = 0x0001FFFF, 0x0002FFFF
_FIRST_OF_PIXELS, _PIXELS = 0x7FE00008, frozenset({0x7FE00008, 0x7FE00009, 0x7FE00010})
_DELIMITER_GROUP, _ITEM, _ITEM_END, _SEQUENCE_END = 0xFFFE, 0xE000, 0xE00D, 0xE0DD
_SEQUENCE_END_BYTES = bytes.fromhex("feff dde0")
_SHORT_VR = frozenset(b"AE AS AT CS DA DS DT FD FL IS LO LT PN SH SL SS ST TM UI UL US".split())
_LONG_VR = frozenset(b"OB OD OF OL OV OW SQ SV UC UN UR UT UV".split())

_implicit = struct.Struct("<HHL").unpack_from
_explicit = struct.Struct("<HH2sH").unpack_from
_long_length = struct.Struct("<L").unpack_from


class FastHeader(NamedTuple):
    """What was picked from a header.

    Attributes
    ----------
    syntax : bytes
        Transfer syntax UID: `IMPLICIT_VR`, `EXPLICIT_VR` or one of `COMPRESSED`.
    media_sop_class : bytes
        MediaStorageSOPClassUID, empty where it is missing.
    values : dict
        Raw value by tag, with its padding; its VR is the one that was wanted.
    end : int
        Offset of the pixel data element; the size of the file where there is none.
    """

    syntax: bytes
    media_sop_class: bytes
    values: dict[int, bytes]
    end: int


class _UnusualError(Exception):
    """The header has something that is left to pydicom."""


def read_header(descriptor: int, size: int, wanted: dict[int, bytes]) -> FastHeader | None:
    """Pick elements from the header of a DICOM file.

    Parameters
    ----------
    descriptor : int
        Open file. Its first kilobytes are read, and more only where the header goes on; never its pixels.
    size : int
        Size of the file in bytes.
    wanted : dict
        VR by tag of the top-level elements to pick. Sequences are not picked: one that is wanted and present makes
        the header unusual.

    Returns
    -------
    FastHeader or None
        None if the header is unusual: nothing is known of the file.

    Raises
    ------
    OSError
        If the file cannot be read.
    """
    try:
        return _read(descriptor, size, {CHARACTER_SET: b"CS", **wanted})
    except _UnusualError:
        return None


def _read(descriptor: int, size: int, wanted: dict[int, bytes]) -> FastHeader:
    if hasattr(os, "posix_fadvise"):
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_RANDOM)  # no reading ahead into the pixels
    base, window = 0, _WINDOW
    buffer = os.pread(descriptor, window, base)
    syntax, media_sop_class, position = _file_meta(buffer)
    implicit = syntax == IMPLICIT_VR
    if implicit and buffer[position + 4 : position + 6].isalpha():
        raise _UnusualError  # explicit VR in spite of the transfer syntax
    values: dict[int, bytes] = {}
    position, last, at_pixels = _walk(buffer, position, _LAST_OF_META, implicit, wanted, values)
    while not at_pixels and base + position != size:
        if base + len(buffer) >= size:
            raise _UnusualError  # the file ends within an element
        if position == 0:
            window *= 8
        if window > _LARGEST_WINDOW:
            raise _UnusualError
        base += position
        buffer = os.pread(descriptor, window, base)
        position, last, at_pixels = _walk(buffer, 0, last, implicit, wanted, values)
    return FastHeader(syntax, media_sop_class, values, base + position)


def _file_meta(buffer: bytes) -> tuple[bytes, bytes, int]:
    """Return transfer syntax, SOP class and the offset of the first element behind the file meta information."""
    if buffer[128:132] != b"DICM" or buffer[132:140] != _GROUP_LENGTH or len(buffer) < 144:
        raise _UnusualError
    end = 144 + _long_length(buffer, 140)[0]
    meta: dict[int, bytes] = {}
    position, last, _ = _walk(buffer[:end], 132, _BEFORE_META, False, _META, meta)
    syntax = meta.get(_TRANSFER_SYNTAX, b"").rstrip(b"\0 ")
    if not (position == end <= min(len(buffer), _WINDOW - 8) and last <= _LAST_OF_META):
        raise _UnusualError
    if syntax not in {IMPLICIT_VR, EXPLICIT_VR} and syntax not in COMPRESSED:
        raise _UnusualError
    return syntax, meta.get(_MEDIA_SOP_CLASS, b"").rstrip(b"\0 "), end


def _walk(
    buffer: bytes, position: int, last: int, implicit: bool, wanted: dict[int, bytes], values: dict[int, bytes]
) -> tuple[int, int, bool]:
    """Hop over top-level elements until the pixels, or as far as the buffer goes.

    Returns
    -------
    position : int
        Offset in the buffer of the first element not dealt with; behind the buffer where a value ends there.
    last : int
        Tag of the last element dealt with.
    at_pixels : bool
        Whether that first element is the pixel data.
    """
    size = len(buffer)
    vr: bytes | None = None
    try:
        while True:
            if implicit:
                group, element, length = _implicit(buffer, position)
                start = position + 8
            else:
                group, element, vr, length = _explicit(buffer, position)
                if vr in _SHORT_VR:
                    start = position + 8
                elif vr in _LONG_VR:
                    (length,) = _long_length(buffer, position + 8)
                    start = position + 12
                else:
                    raise _UnusualError
            tag = group << 16 | element
            if tag <= last:
                raise _UnusualError
            if tag >= _FIRST_OF_PIXELS and tag in _PIXELS:
                return position, last, True
            if tag in wanted:
                if wanted[tag] == b"SQ" or vr not in {wanted[tag], None} or length > LONGEST_VALUE or length & 1:
                    raise _UnusualError
                end = start + length
                if end > size:
                    break
                values[tag] = buffer[start:end]
            elif length == _UNDEFINED:
                if vr not in {b"SQ", None}:
                    raise _UnusualError
                end = _end_of_sequence(buffer, start, implicit, 0)
            elif length & 1:
                raise _UnusualError
            else:
                end = start + length
            last, position = tag, end
    except struct.error:
        pass
    return position, last, False


def _end_of_sequence(buffer: bytes, start: int, implicit: bool, depth: int) -> int:
    """Return the offset behind a sequence of undefined length; struct.error if the buffer ends before.

    Without VRs pydicom looks up whether an element is a sequence, and takes another for bytes up to the first
    delimiter. Only where both mean the same is the sequence ordinary.
    """
    position = start
    while True:
        group, element, length = _implicit(buffer, position)
        position += 8
        if group != _DELIMITER_GROUP:
            raise _UnusualError
        if element == _ITEM:
            position = _end_of_item(buffer, position, length, implicit, depth)
        elif element == _SEQUENCE_END and length == 0:
            if implicit and buffer.find(_SEQUENCE_END_BYTES, start) != position - 8:
                raise _UnusualError
            return position
        else:
            raise _UnusualError


def _end_of_item(buffer: bytes, position: int, length: int, implicit: bool, depth: int) -> int:
    """Return the offset behind an item; its elements must fill it."""
    end = None if length == _UNDEFINED else position + length
    while end is None or position < end:
        vr: bytes | None = None
        group, element, length = _implicit(buffer, position)
        start = position + 8
        if group == _DELIMITER_GROUP:
            if element == _ITEM_END and length == 0 and end is None:
                return start
            raise _UnusualError
        if not implicit:
            group, element, vr, length = _explicit(buffer, position)
            if vr in _LONG_VR:
                (length,) = _long_length(buffer, start)
                start += 4
            elif vr not in _SHORT_VR:
                raise _UnusualError
        if group << 16 | element == CHARACTER_SET:
            raise _UnusualError
        if length != _UNDEFINED:
            position = start + length
        elif vr == b"SQ" and depth < _DEEPEST_SEQUENCE:
            position = _end_of_sequence(buffer, start, implicit, depth + 1)
        else:
            raise _UnusualError
    if position != end:
        raise _UnusualError
    return position
