"""Header index: one row per file below a folder, whatever it is, with the columns of IDC's `dicom_all`."""

import logging
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pydicom
from pydicom.errors import InvalidDicomError

from ct_assets.dicom.series import header_is_cut_off
from ct_assets.store.tables import INSTANCES

logger = logging.getLogger(__name__)

NOT_DICOM = "not a DICOM file"
"""Problem of a file that is not DICOM and does not claim to be: it is passed over."""

_TEXT = ("PatientID", "StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "SOPClassUID", "Modality")
_OPTIONAL_TEXT = ("SeriesDescription", "FrameOfReferenceUID")
_LISTS = ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing")
_WHOLE = ("Rows", "Columns", "NumberOfFrames")
_TAGS: list[Any] = [
    *_TEXT,
    *_OPTIONAL_TEXT,
    *_LISTS,
    *_WHOLE,
    "ImageType",
    "SliceThickness",
    "BitsAllocated",
    "SamplesPerPixel",
    "ReferencedSeriesSequence",
]
_DICOM_SUFFIXES = {".dcm", ".dicom", ".ima"}
_MEDIA_DIRECTORY = "1.2.840.10008.1.3.10"


class EmptySourceError(ValueError):
    """A source without any file; the message names the folder and the remedy."""


def index_folder(folder: Path, progress: Callable[[int, int], None] | None = None) -> pd.DataFrame:
    """Read the headers of all files below a folder.

    Files that cannot be used are rows with a `problem`; they stop nothing.

    Parameters
    ----------
    folder : Path
        Folder to walk; links are followed.
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
    files = sorted(_files(folder))
    if not files:
        message = f"{folder}: the folder is empty; give the folder that holds the DICOM files"
        raise EmptySourceError(message)
    rows = []
    for done, path in enumerate(files, start=1):
        rows.append(_row(path, folder))
        if progress:
            progress(done, len(files))
    problems = sum(row["problem"] is not None for row in rows)
    logger.info("indexed %d files below %s, %d of them not usable", len(rows), folder, problems)
    return pd.DataFrame(rows, columns=list(INSTANCES.columns))


def unreadable_files(instances: pd.DataFrame) -> pd.DataFrame:
    """Return the files that claim to be DICOM and cannot be used, with the problem.

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


def _files(folder: Path) -> Iterator[Path]:
    for root, folders, names in os.walk(folder, followlinks=True):
        folders.sort()
        yield from (Path(root) / name for name in names if not name.startswith("."))


def _row(path: Path, folder: Path) -> dict[str, Any]:
    row: dict[str, Any] = dict.fromkeys(INSTANCES.columns)
    row["file"] = path.relative_to(folder).as_posix()
    try:
        row["file_size"] = path.stat().st_size
        with path.open("rb") as file:
            dataset = pydicom.dcmread(file, stop_before_pixels=True, specific_tags=_TAGS)
            header_size = file.tell()
        _fill(row, dataset)
        row["problem"] = _truncation(dataset, header_size, row["file_size"])
    except InvalidDicomError:
        claims = path.suffix.lower() in _DICOM_SUFFIXES
        row["problem"] = "has no DICOM header; copy it again from its source or remove it" if claims else NOT_DICOM
    except Exception as error:
        row["problem"] = f"cannot be read ({type(error).__name__}: {error}); copy it again from its source"
    return row


def _fill(row: dict[str, Any], dataset: pydicom.Dataset) -> None:
    if str(dataset.file_meta.get("MediaStorageSOPClassUID", "")) == _MEDIA_DIRECTORY:
        row["SOPClassUID"], row["Modality"] = _MEDIA_DIRECTORY, "DICOMDIR"
        return
    for keyword in (*_TEXT, *_OPTIONAL_TEXT):
        value = dataset.get(keyword)
        row[keyword] = str(value) if value not in (None, "") else None
    for keyword in _LISTS:
        value = dataset.get(keyword)
        row[keyword] = [float(part) for part in value] if value else None
    for keyword in _WHOLE:
        value = dataset.get(keyword)
        row[keyword] = int(value) if value not in (None, "") else None
    image_type = dataset.get("ImageType")
    parts = [image_type] if isinstance(image_type, str) else image_type
    row["ImageType"] = [str(part) for part in parts] if parts else None
    thickness = dataset.get("SliceThickness")
    row["SliceThickness"] = float(thickness) if thickness not in (None, "") else None
    references = dataset.get("ReferencedSeriesSequence") or []
    row["ReferencedSeriesInstanceUID"] = str(references[0].SeriesInstanceUID) if len(references) else None


def _truncation(dataset: pydicom.Dataset, header_size: int, file_size: int) -> str | None:
    """Tell whether uncompressed pixel data are cut off; compressed ones are judged when they are decoded."""
    if header_is_cut_off(dataset):
        return "is cut off in its header; copy it again from its source"
    if dataset.file_meta.TransferSyntaxUID.is_compressed or not dataset.get("Rows") or not dataset.get("BitsAllocated"):
        return None
    bits = dataset.Rows * dataset.Columns * dataset.BitsAllocated * int(dataset.get("SamplesPerPixel") or 1)
    expected = bits * int(dataset.get("NumberOfFrames") or 1) // 8
    present = file_size - header_size
    if present >= expected:
        return None
    return f"is truncated ({present} of {expected} pixel bytes); copy it again from its source"
