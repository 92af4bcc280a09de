"""The atlas patient: heights of the landmarks and profiles of trunk, lungs and spine along the body axis."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from scipy.interpolate import PchipInterpolator

if TYPE_CHECKING:
    from numpy.typing import NDArray

LANDMARK_HEIGHTS: Final[dict[str, float]] = {
    "pelvis_start": -545.0,
    "femur_end": -465.0,
    "L5": -339.0,
    "pelvis_end": -310.0,
    "L4": -303.5,
    "L3": -268.0,
    "kidney": -235.0,
    "L2": -234.0,
    "L1": -201.0,
    "Th12": -170.5,
    "lung_start": -168.0,
    "Th11": -142.5,
    "Th10": -116.5,
    "Th9": -92.2,
    "liver_end": -90.0,
    "Th8": -69.2,
    "Th7": -47.2,
    "Th6": -26.0,
    "Th5": -5.2,
    "Th4": 15.0,
    "Th3": 34.8,
    "Th2": 54.0,
    "Th1": 72.5,
    "lung_end": 86.0,
    "C7": 89.5,
    "C6": 104.8,
    "C5": 119.0,
    "C4": 133.0,
    "C3": 147.0,
    "C2": 164.0,
    "teeth": 178.0,
    "C1": 181.0,
    "nose": 205.0,
    "eyes_end": 245.0,
    "head_end": 345.0,
}
"""Height of every landmark of body part regression above the carina in mm, lowest first."""

VERTEBRAE: Final[tuple[str, ...]] = (
    *(f"L{i}" for i in range(5, 0, -1)),
    *(f"Th{i}" for i in range(12, 0, -1)),
    *(f"C{i}" for i in range(7, 2, -1)),
)
"""Vertebrae that the phantom has, lowest first."""

BODY_LANDMARKS: Final[tuple[str, ...]] = (
    "L3",
    "L2",
    "kidney",
    "L1",
    *(f"Th{i}" for i in range(12, 0, -1)),
    "C7",
    "C6",
    "C5",
)
"""Landmarks that every phantom shows at their atlas height (lung and liver ends vary and are computed)."""

RIGHT_DOME: Final[float] = -84.0
"""Height of the right dome of the diaphragm in mm."""
LEFT_DOME: Final[float] = -97.0
"""Height of the left dome of the diaphragm in mm."""
DIAPHRAGM_THICKNESS: Final[float] = 6.0
"""Thickness of the diaphragm in mm."""

_WALL = np.array(
    [
        [-400, 132, 92],
        [-230, 134, 95],
        [-150, 142, 103],
        [-80, 150, 108],
        [-20, 156, 108],
        [25, 160, 104],
        [50, 160, 98],
        [65, 150, 90],
        [80, 125, 80],
        [92, 96, 72],
        [105, 70, 65],
        [120, 59, 61],
        [220, 56, 60],
    ],
    dtype=float,
)  # height, half-width and half-depth of the muscle contour
_LUNG = np.array(
    [
        [-200, 70, -1, 61, 89],
        [-100, 71, -1, 63, 91],
        [-40, 70, 0, 61, 86],
        [0, 66, 2, 54, 76],
        [40, 57, 8, 44, 58],
        [65, 49, 13, 34, 41],
        [95, 42, 18, 26, 30],
    ],
    dtype=float,
)  # height, centre x, centre y, half-width, half-depth of one lung
_MEDIASTINUM = np.array([[-200, 24], [-100, 25], [-40, 29], [0, 32], [40, 36], [70, 38], [120, 34]], dtype=float)
_SPINE = np.array(
    [
        [-400, 30],
        [-268, 32],
        [-200, 40],
        [-142, 49],
        [-70, 54],
        [-5, 51],
        [35, 44],
        [72, 35],
        [105, 25],
        [120, 21],
        [200, 16],
    ],
    dtype=float,
)  # height, y of the middle of the vertebral body

_wall = PchipInterpolator(_WALL[:, 0], _WALL[:, 1:])
_lung = PchipInterpolator(_LUNG[:, 0], _LUNG[:, 1:])
_mediastinum = PchipInterpolator(_MEDIASTINUM[:, 0], _MEDIASTINUM[:, 1])
_spine = PchipInterpolator(_SPINE[:, 0], _SPINE[:, 1])


def wall(height: float) -> tuple[float, float]:
    """Give half-width and half-depth of the muscle contour in mm at a height in mm."""
    width, depth = _wall(height)
    return float(width), float(depth)


def lung(height: float) -> tuple[float, float, float, float]:
    """Give centre x (left lung), centre y, half-width and half-depth of one lung's space in mm at a height in mm."""
    x, y, width, depth = _lung(height)
    return float(x), float(y), float(width), float(depth)


def mediastinum(height: float) -> float:
    """Give the half-width of the mediastinum in mm at a height in mm."""
    return float(_mediastinum(height))


def spine(height: float | NDArray[np.float64]) -> float:
    """Give y of the middle of the vertebral body in mm at a height in mm."""
    return float(_spine(height))
