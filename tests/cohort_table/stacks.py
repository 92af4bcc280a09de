"""Header index rows of series with known geometry."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from ct_assets.dicom.series import CT_IMAGE_STORAGE
from ct_assets.store.tables import INSTANCES

AXIAL = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0))


def turned(degrees_about_x: float, degrees_about_z: float = 0.0) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Row and column direction of axial slices turned about x, then about z."""
    a, b = np.radians([degrees_about_x, degrees_about_z])
    about_x = np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]])
    about_z = np.array([[np.cos(b), -np.sin(b), 0], [np.sin(b), np.cos(b), 0], [0, 0, 1]])
    turn = about_z @ about_x
    return tuple(turn[:, 0]), tuple(turn[:, 1])


def stack(
    positions: Sequence[float],
    *,
    uid: str = "1.2.3",
    study: str | None = "1.2",
    patient: str = "P",
    directions: tuple[Sequence[float], Sequence[float]] = AXIAL,
    shift: Sequence[tuple[float, float]] | None = None,
    **values: Any,
) -> list[dict[str, Any]]:
    """Rows of one series: slices at positions (mm) along the normal, each shifted (mm) along rows and columns."""
    row, column = (np.asarray(direction, dtype=float) for direction in directions)
    normal = np.cross(row, column)
    shifts = shift or [(0.0, 0.0)] * len(positions)
    origin = np.array([-180.0, -170.0, 20.0])
    rows = []
    for number, (position, (along_row, along_column)) in enumerate(zip(positions, shifts, strict=True)):
        place = origin + normal * position + row * along_row + column * along_column
        rows.append(
            {
                "PatientID": patient,
                "StudyInstanceUID": study,
                "SeriesInstanceUID": uid,
                "SOPInstanceUID": f"{uid}.{number + 1}",
                "SOPClassUID": CT_IMAGE_STORAGE,
                "Modality": "CT",
                "ImageType": ["ORIGINAL", "PRIMARY", "AXIAL"],
                "ImagePositionPatient": [f"{value:.6f}" for value in place],
                "ImageOrientationPatient": [f"{value:.8f}" for value in (*row, *column)],
                "PixelSpacing": ["0.7", "0.7"],
                "SliceThickness": "2.5",
                "Rows": 512,
                "Columns": 512,
                "FrameOfReferenceUID": f"{study}.9",
                "instance_size": 500_000 + number,
                "file": f"{uid}/{number:04d}.dcm",
                **values,
            }
        )
    return rows


def table(*series: list[dict[str, Any]]) -> pa.Table:
    """Header index of several series."""
    return pa.Table.from_pylist([row for rows in series for row in rows], schema=INSTANCES.schema)
