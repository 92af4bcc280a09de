"""Rows of the header index, one per file: by the fast header where it is ordinary, by pydicom where it is not.

Processes that do nothing else import this module, so it imports little; pydicom only when a file needs it.
"""

import os
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import pyarrow as pa

from ct_assets.cohort_table.index.attributes import ATTRIBUTES, READ, attributes
from ct_assets.cohort_table.index.fast_header import CHARACTER_SET, COMPRESSED, IMPLICIT_VR, read_header
from ct_assets.cohort_table.index.raw_values import is_ascii_compatible, raw_values

NOT_DICOM = "not a DICOM file"
"""Problem of a file that is not DICOM and does not claim to be: it is passed over."""

_DICOM_SUFFIXES = {".dcm", ".dicom", ".ima"}
_MEDIA_DIRECTORY = "1.2.840.10008.1.3.10"
_CT_IMAGE = b"1.2.840.10008.5.1.4.1.1.2"
_EXPLICIT_HEADER_BYTES, _IMPLICIT_HEADER_BYTES = 12, 8
_BY_TAG = {attribute.tag: attribute for attribute in ATTRIBUTES}
_WANTED = dict.fromkeys(READ, b"SQ") | {attribute.tag: attribute.vr.encode() for attribute in ATTRIBUTES}


def read_batch(folder: str, schema: pa.Schema, names: Sequence[str]) -> pa.RecordBatch:
    """Read the headers of some files.

    Parameters
    ----------
    folder : str
        Folder the files are in.
    schema : pyarrow.Schema
        Schema of `ct_assets.store.tables.INSTANCES`.
    names : sequence of str
        Files, relative to the folder.

    Returns
    -------
    pyarrow.RecordBatch
        One row per file, in the given order.
    """
    rows = []
    for name in names:
        path = f"{folder}/{name}"
        row = fast_row(path) or pydicom_row(path)
        row["file"] = name
        rows.append(row)
    return pa.RecordBatch.from_pylist(rows, schema=schema)


def fast_row(path: str) -> dict[str, Any] | None:
    """Return the row of a file with an ordinary header, None for any other.

    Parameters
    ----------
    path : str
        File to read.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:
        return None
    try:
        status = os.fstat(descriptor)
        header = read_header(descriptor, status.st_size, _WANTED)
    except OSError:
        return None
    finally:
        os.close(descriptor)
    if header is None or not is_ascii_compatible(header.values.pop(CHARACTER_SET, b"")):
        return None
    try:
        row = {_BY_TAG[tag].keyword: _value(tag, raw) for tag, raw in header.values.items()}
    except (TypeError, ValueError, OverflowError):
        return None  # it is to be described
    if header.media_sop_class == _MEDIA_DIRECTORY.encode():
        return None
    if header.media_sop_class == _CT_IMAGE and row.get("Columns") is None:
        return None
    row["instance_size"], row["file_mtime_ns"] = status.st_size, status.st_mtime_ns
    if header.syntax not in COMPRESSED:
        row["problem"] = _truncation(row, status.st_size - header.end, implicit=header.syntax == IMPLICIT_VR)
    return row


@lru_cache(maxsize=4096)
def _value(tag: int, raw: bytes) -> Any:
    """Return a value as the index has it; most are the same in all files of a series."""
    attribute = _BY_TAG[tag]
    parts = raw_values(attribute.vr, raw)
    return attribute.convert(list(parts)) if parts else None


def pydicom_row(path: str) -> dict[str, Any]:
    """Return the row of any file, with its problem where it has one.

    Parameters
    ----------
    path : str
        File to read.
    """
    import pydicom
    from pydicom.errors import InvalidDicomError

    from ct_assets.dicom.read import check_inflated_size

    row: dict[str, Any] = {}
    try:
        status = Path(path).stat()
        row["instance_size"], row["file_mtime_ns"] = status.st_size, status.st_mtime_ns
        with Path(path).open("rb") as file:
            check_inflated_size(file)
            dataset = pydicom.dcmread(file, stop_before_pixels=True, specific_tags=READ)
            header_size = file.tell()
        row["problem"] = _fill(row, dataset, header_size)
    except InvalidDicomError:
        claims = Path(path).suffix.lower() in _DICOM_SUFFIXES
        row["problem"] = "has no DICOM header; copy it again from its source or remove it" if claims else NOT_DICOM
    except Exception as error:
        row["problem"] = f"cannot be read ({type(error).__name__}: {error}); copy it again from its source"
    return row


def _fill(row: dict[str, Any], dataset: Any, header_size: int) -> str | None:
    """Fill a row from a header; return what keeps the file from being used."""
    from ct_assets.dicom.series import header_is_cut_off

    if str(dataset.file_meta.get("MediaStorageSOPClassUID", "")) == _MEDIA_DIRECTORY:
        row["SOPClassUID"], row["Modality"] = _MEDIA_DIRECTORY, "DICOMDIR"
        return None
    values, problems = attributes(dataset)
    row.update(values)
    if problems:
        return f"{' and '.join(problems)}; export it again from its source"
    if header_is_cut_off(dataset):
        return "is cut off in its header; copy it again from its source"
    syntax = dataset.file_meta.TransferSyntaxUID
    if syntax.is_compressed or syntax.is_deflated:  # judged when decoded; the size of a deflated file says nothing
        return None
    return _truncation(values, row["instance_size"] - header_size, implicit=syntax.is_implicit_VR)


def _truncation(values: Mapping[str, Any], rest: int, *, implicit: bool) -> str | None:
    """Tell whether uncompressed pixel data are cut off.

    `rest` are the bytes from the PixelData element on: its own header comes first.
    """
    if not values.get("Rows") or not values.get("BitsAllocated"):
        return None
    bits = values["Rows"] * (values.get("Columns") or 0) * values["BitsAllocated"]
    expected = bits * (values.get("SamplesPerPixel") or 1) * (values.get("NumberOfFrames") or 1) // 8
    present = max(rest - (_IMPLICIT_HEADER_BYTES if implicit else _EXPLICIT_HEADER_BYTES), 0)
    if present >= expected:
        return None
    return f"is truncated ({present} of {expected} pixel bytes); copy it again from its source"
