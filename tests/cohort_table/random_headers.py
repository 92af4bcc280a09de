"""Image headers of random series: regular stacks, and what goes wrong with them in archives, alone and together."""

from collections.abc import Callable
from itertools import cycle
from typing import Any

import numpy as np

from ct_assets.dicom.series import CT_IMAGE_STORAGE
from tests.cohort_table.stacks import AXIAL, stack, turned

Rows = list[dict[str, Any]]
Defect = Callable[[Rows, np.random.Generator], None]

ENHANCED_CT = "1.2.840.10008.5.1.4.1.1.2.1"
GARBAGE = ["", " ", "1,5", "--1", "1.2.3", "1 2", "12mm", "1e", "٣", "None", "\\", "%", "_", "'", '"']
"""Text that is no number in any engine. DuckDB alone reads 1_000, BigQuery alone 0x10; a header index refuses both."""
NOT_FINITE = ["inf", "-inf", "nan", "1e400", "-1e301"]
"""Text that is a number, but none of a place."""


def random_headers(seed: int, series: int = 40, *, most_slices: int = 30, garbage: bool = True) -> Rows:
    """Headers of series of which some are regular and the others have one to three defects, in random order.

    Every defect is there once before any is there again. Without garbage every decimal is a number.
    """
    rng = np.random.default_rng(seed)
    defects = DEFECTS + (GARBAGE_DEFECTS if garbage else [])
    turn = cycle(rng.permutation(len(defects)))
    rows: Rows = []
    for number in range(series):
        one = _regular(number, most_slices, rng)
        for _ in range(rng.choice([0, 1, 2, 3], p=[0.4, 0.3, 0.2, 0.1])):
            defects[next(turn)](one, rng)
        rows += one
    return [rows[index] for index in rng.permutation(len(rows))]


def _regular(number: int, most_slices: int, rng: np.random.Generator) -> Rows:
    patient = str(100_000 + rng.integers(6))
    gap = rng.choice([0.625, 1.0, 2.5, 3.3, rng.uniform(0.4, 6)])
    tilt = rng.uniform(-29, 29) if rng.random() < 0.8 else rng.uniform(31, 90)
    row, column = AXIAL if rng.random() < 0.6 else turned(tilt, rng.uniform(-180, 180))
    if rng.random() < 0.2:
        column = tuple(-value for value in column)
    count = min(most_slices, rng.choice([1, 4, 8, 8, 16, 30]))
    positions = gap * np.arange(count) + rng.uniform(-0.001, 0.001, count) * gap * (rng.random() < 0.3)
    return stack(
        positions,
        uid=f"1.2.{100 + number}",
        study=f"1.3.{patient}",
        patient=patient,
        directions=(row, column),
        SliceThickness=str(rng.choice(["1", "1.0", "2.5", "3", "5.00"])),
        SeriesDescription=rng.choice([None, "Lung 1.0 B60f", "Äxial \\ 5%_'"]),
    )


def _some(rows: Rows, rng: np.random.Generator) -> Rows:
    """One, several or all of the images."""
    count = min(len(rows), rng.choice([1, 3, len(rows)]))
    return [rows[index] for index in rng.choice(len(rows), count, replace=False)]


def _setting(keyword: str, *values: Any, everywhere: bool = False) -> Defect:
    """Give some images one of the values, or each another."""

    def defect(rows: Rows, rng: np.random.Generator) -> None:
        chosen = [values[rng.integers(len(values))]] if rng.random() < 0.6 else values
        for row in rows if everywhere else _some(rows, rng):
            row[keyword] = chosen[rng.integers(len(chosen))]

    return defect


def _putting(keyword: str, texts: list[str]) -> Defect:
    """Put a text into a place of some images' values."""

    def defect(rows: Rows, rng: np.random.Generator) -> None:
        for row in _some(rows, rng):
            if row[keyword]:
                values = list(row[keyword])
                values[rng.integers(len(values))] = texts[rng.integers(len(texts))]
                row[keyword] = values

    return defect


def _moving(along_row: float, along_column: float, along_normal: float) -> Defect:
    """Move some images by up to so many mm along row, column and z."""

    def defect(rows: Rows, rng: np.random.Generator) -> None:
        for row in _some(rows, rng):
            if len(row["ImagePositionPatient"] or []) == 3:
                step = np.array([along_row, along_column, along_normal]) * rng.choice([-1, -0.4, 0.01, 1])
                row["ImagePositionPatient"] = [
                    f"{_number(text) + change:.6f}"
                    for text, change in zip(row["ImagePositionPatient"], step, strict=True)
                ]

    return defect


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0


def _lose_slices(rows: Rows, rng: np.random.Generator) -> None:
    for _ in range(rng.integers(1, 4)):
        if len(rows) > 1:
            del rows[rng.integers(len(rows))]


def _keep_one(rows: Rows, rng: np.random.Generator) -> None:
    del rows[1:]


def _share_position(rows: Rows, rng: np.random.Generator) -> None:
    for row in _some(rows, rng):
        row["ImagePositionPatient"] = rows[0]["ImagePositionPatient"]


def _tilt(rows: Rows, rng: np.random.Generator) -> None:
    slope = rng.uniform(-2, 2)
    for number, row in enumerate(rows):
        if len(row["ImagePositionPatient"] or []) == 3:
            x, y, z = row["ImagePositionPatient"]
            row["ImagePositionPatient"] = [x, f"{_number(y) + slope * number:.4f}", z]


def _write_otherwise(rows: Rows, rng: np.random.Generator) -> None:
    """The same numbers in other words."""
    for row in _some(rows, rng):
        for keyword in ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing"):
            row[keyword] = row[keyword] and [f" {_number(text):+.6e} " for text in row[keyword]]


def _repeat_instance(rows: Rows, rng: np.random.Generator) -> None:
    for row in _some(rows, rng):
        row["SOPInstanceUID"] = rows[0]["SOPInstanceUID"]


def _be_long(rows: Rows, rng: np.random.Generator) -> None:
    """Write many decimals of few, as 0.1 + 0.2 has."""
    for number, row in enumerate(rows):
        row["ImagePositionPatient"] = ["-180", "0", repr(0.1 * number * rng.choice([1, -1, 3]))]


DEFECTS: list[Defect] = [
    _lose_slices,
    _keep_one,
    _share_position,
    _tilt,
    _write_otherwise,
    _repeat_instance,
    _be_long,
    _moving(3, 0, 0),
    _moving(0, 2, 1),
    _moving(0.2, 0.2, 0.0),
    _moving(0, 0, 2.5),
    _moving(0, 0, 0.05),
    _setting("ImageOrientationPatient", ["1", "0", "0", "0", "0.99", "0.141"], ["0", "1", "0", "0", "0", "-1"]),
    _setting("ImageOrientationPatient", ["1", "0", "0", "0", "1", "0"], ["1", "0", "0", "0", "0.99995", "0.00001"]),
    _setting("ImageOrientationPatient", ["1", "0", "0", "0", "1.1", "0"], everywhere=True),
    _setting("ImageOrientationPatient", ["0", "0", "0", "0", "0", "0"], everywhere=True),
    _setting("ImageOrientationPatient", None, ["1", "0", "0"]),
    _setting("ImagePositionPatient", None, ["1", "2"], ["0", "0", "-3.05", "7"]),
    _setting("PixelSpacing", ["0.7", "0.70001"], ["0.8", "0.7"], ["0.70", "0.70"]),
    _setting("PixelSpacing", None, ["0.7"], ["0.7", "0.7", "0.9"]),
    _setting("SliceThickness", None, "1.5", "9", "0.5", " 2.5 "),
    _setting("ImageType", ["ORIGINAL", "PRIMARY", "LOCALIZER"], ["original", "primary", "localizer"]),
    _setting("ImageType", ["DERIVED", "SECONDARY"], ["derived"]),
    _setting("ImageType", ["ORIGINAL", "DERIVED"], ["", "DERIVED"]),
    _setting("ImageType", None, ["", ""], ["LOCAL", "IZER"]),
    _setting("SOPClassUID", ENHANCED_CT, None, CT_IMAGE_STORAGE + ".2"),
    _setting("SOPInstanceUID", None),
    _setting("StudyInstanceUID", None, "1.3.99", "1.3.100001"),
    _setting("FrameOfReferenceUID", None, "1.4"),
    _setting("Rows", None, 256, 1024),
    _setting("Columns", None, 9, 1024),
    _setting("PatientID", None, "P99", ""),
    _setting("SeriesInstanceUID", None, "", "1..2", "1.2.\n", "x", "1." + "2" * 63, "1.2.100"),
    _setting("SeriesDescription", None, "a", "B"),
    _setting("instance_size", None, 1),
    _setting("Modality", "PT", "ct", None),
]

GARBAGE_DEFECTS: list[Defect] = [
    *(
        _putting(keyword, texts)
        for keyword in ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing")
        for texts in (GARBAGE, NOT_FINITE)
    ),
    _setting("SliceThickness", *GARBAGE),
    _setting("SliceThickness", *NOT_FINITE),
]
