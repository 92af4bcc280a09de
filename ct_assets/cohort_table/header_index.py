"""Header index: one row per file below a folder, whatever it is, with the columns of IDC's `dicom_all`."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pydicom
from pydicom.errors import InvalidDicomError

from ct_assets.cohort_table.attributes import READ, attributes
from ct_assets.dicom.series import header_is_cut_off
from ct_assets.store.tables import INSTANCES
from ct_assets.store.walk import walk_files

logger = logging.getLogger(__name__)

NOT_DICOM = "not a DICOM file"
"""Problem of a file that is not DICOM and does not claim to be: it is passed over."""

_DICOM_SUFFIXES = {".dcm", ".dicom", ".ima"}
_MEDIA_DIRECTORY = "1.2.840.10008.1.3.10"
_EXPLICIT_HEADER_BYTES, _IMPLICIT_HEADER_BYTES = 12, 8


class EmptySourceError(ValueError):
    """A source without any file; the message names the folder and the remedy."""


def index_folder(folder: Path, progress: Callable[[int, int], None] | None = None) -> pd.DataFrame:
    """Read the headers of all files below a folder.

    Files that cannot be used and folders that cannot be listed are rows with a `problem`; they stop nothing.

    Parameters
    ----------
    folder : Path
        Folder to walk; links are followed, each folder once.
    progress : callable, optional
        Called with files done and files in all.

    Returns
    -------
    DataFrame
        Columns of `ct_assets.store.tables.INSTANCES`, sorted by file.

    Raises
    ------
    EmptySourceError
        If the folder is missing or holds no file.
    """
    if not folder.is_dir():
        message = f"{folder}: no such folder; give the folder that holds the DICOM files"
        raise EmptySourceError(message)
    rows: list[dict[str, Any]] = []
    files = sorted(walk_files(folder, lambda path, error: rows.append(_unlisted(path, folder, error))))
    if not files and not rows:
        message = f"{folder}: the folder is empty; give the folder that holds the DICOM files"
        raise EmptySourceError(message)
    for done, path in enumerate(files, start=1):
        rows.append(_row(path, folder))
        if progress:
            progress(done, len(files))
    problems = sum(row["problem"] is not None for row in rows)
    logger.info("indexed %d files below %s, %d of them not usable", len(rows), folder, problems)
    return pd.DataFrame(rows, columns=list(INSTANCES.columns)).sort_values("file", ignore_index=True)


def unreadable_files(instances: pd.DataFrame) -> pd.DataFrame:
    """Return the files that claim to be DICOM and cannot be used, and the folders not listed, with the problem.

    Parameters
    ----------
    instances : DataFrame
        Header index.

    Returns
    -------
    DataFrame
        Columns `file` and `problem`.
    """
    bad = instances["problem"].notna() & (instances["problem"] != NOT_DICOM)
    return instances.loc[bad, ["file", "problem"]].reset_index(drop=True)


def _unlisted(path: Path, folder: Path, error: OSError) -> dict[str, Any]:
    row: dict[str, Any] = dict.fromkeys(INSTANCES.columns)
    row["file"] = path.relative_to(folder).as_posix()
    row["problem"] = f"cannot be listed ({type(error).__name__}: {error.strerror}); grant read access"
    return row


def _row(path: Path, folder: Path) -> dict[str, Any]:
    row: dict[str, Any] = dict.fromkeys(INSTANCES.columns)
    row["file"] = path.relative_to(folder).as_posix()
    try:
        row["file_size"] = path.stat().st_size
        with path.open("rb") as file:
            dataset = pydicom.dcmread(file, stop_before_pixels=True, specific_tags=READ)
            header_size = file.tell()
        row["problem"] = _fill(row, dataset, header_size)
    except InvalidDicomError:
        claims = path.suffix.lower() in _DICOM_SUFFIXES
        row["problem"] = "has no DICOM header; copy it again from its source or remove it" if claims else NOT_DICOM
    except Exception as error:
        row["problem"] = f"cannot be read ({type(error).__name__}: {error}); copy it again from its source"
    return row


def _fill(row: dict[str, Any], dataset: pydicom.Dataset, header_size: int) -> str | None:
    """Fill a row from a header; return what keeps the file from being used."""
    if str(dataset.file_meta.get("MediaStorageSOPClassUID", "")) == _MEDIA_DIRECTORY:
        row["SOPClassUID"], row["Modality"] = _MEDIA_DIRECTORY, "DICOMDIR"
        return None
    values, problems = attributes(dataset)
    row.update({keyword: value for keyword, value in values.items() if keyword in row})
    if problems:
        return f"{' and '.join(problems)}; export it again from its source"
    return _truncation(dataset, values, row["file_size"] - header_size)


def _truncation(dataset: pydicom.Dataset, values: dict[str, Any], rest: int) -> str | None:
    """Tell whether uncompressed pixel data are cut off; compressed ones are judged when they are decoded.

    `rest` are the bytes from the PixelData element on: its own header comes first. The size of a deflated file says
    nothing.
    """
    if header_is_cut_off(dataset):
        return "is cut off in its header; copy it again from its source"
    syntax = dataset.file_meta.TransferSyntaxUID
    if syntax.is_compressed or syntax.is_deflated or not values["Rows"] or not values["BitsAllocated"]:
        return None
    bits = values["Rows"] * (values["Columns"] or 0) * values["BitsAllocated"] * (values["SamplesPerPixel"] or 1)
    expected = bits * (values["NumberOfFrames"] or 1) // 8
    present = max(rest - (_IMPLICIT_HEADER_BYTES if syntax.is_implicit_VR else _EXPLICIT_HEADER_BYTES), 0)
    if present >= expected:
        return None
    return f"is truncated ({present} of {expected} pixel bytes); copy it again from its source"
