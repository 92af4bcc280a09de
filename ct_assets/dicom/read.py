"""Reading a DICOM file from outside: what it unpacks to is measured before pydicom makes room for it."""

import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO, Final

import pydicom
from pydicom.filereader import _read_file_meta_info, read_preamble
from pydicom.uid import DeflatedExplicitVRLittleEndian

MOST_INFLATED_BYTES: Final = 2**29
"""Largest data set that a deflated file may hold: 2,000 frames of a FRACTIONAL SEG of 512 rows and columns. A file can
unpack to a thousand times its size."""

_PIECE: Final = 2**16


class OversizedDicomError(ValueError):
    """A deflated file that unpacks to more than there may be."""


def read_dicom(
    path: Path, *, stop_before_pixels: bool = False, specific_tags: Sequence[str] | None = None
) -> pydicom.Dataset:
    """Read a DICOM file as `pydicom.dcmread` does, but for one that is deflated and unpacks to too much.

    Parameters
    ----------
    path : Path
        File to read.
    stop_before_pixels : bool, default False
        Leave out the pixels.
    specific_tags : sequence of str, optional
        Keywords of the elements to read; default: all.

    Raises
    ------
    OversizedDicomError
        If it unpacks to more than `MOST_INFLATED_BYTES`.
    Exception
        What pydicom raises: errors of many kinds on damage.
    """
    with path.open("rb") as file:
        check_inflated_size(file)
    tags = None if specific_tags is None else list(specific_tags)
    return pydicom.dcmread(path, stop_before_pixels=stop_before_pixels, specific_tags=tags)


def check_inflated_size(file: BinaryIO) -> None:
    """Measure what a deflated file unpacks to, a piece at a time, and go back to its beginning.

    Parameters
    ----------
    file : file
        DICOM file, at its beginning. Of one that is not deflated only the file meta information is read.

    Raises
    ------
    OversizedDicomError
        If it is more than `MOST_INFLATED_BYTES`.
    Exception
        What pydicom raises: errors of many kinds on damage.
    """
    read_preamble(file, force=False)
    syntax = _read_file_meta_info(file).get("TransferSyntaxUID")  # pydicom's own: it stops where pydicom would
    if syntax == DeflatedExplicitVRLittleEndian and not _fits(file):
        message = f"is deflated and unpacks to more than {MOST_INFLATED_BYTES >> 20} MiB"
        raise OversizedDicomError(message)
    file.seek(0)


def _fits(file: BinaryIO) -> bool:
    unpacker, size = zlib.decompressobj(-zlib.MAX_WBITS), 0
    while piece := file.read(_PIECE):
        while piece and not unpacker.eof:
            size += len(unpacker.decompress(piece, _PIECE))
            if size > MOST_INFLATED_BYTES:
                return False
            piece = unpacker.unconsumed_tail
    return True
