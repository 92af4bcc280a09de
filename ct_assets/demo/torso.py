"""The trunk of the phantom: skin, fat, muscle, mediastinal fat, lungs, diaphragm and abdomen."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import gaussian_filter

from ct_assets.demo import atlas

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ct_assets.demo.canvas import Canvas, Floats, Mask

LUNG_HU = -855.0
FAT_HU = -100.0
MUSCLE_HU = 52.0
LIVER_HU = 62.0

_SIDES = (-1.0, 1.0)  # right, left: x points to the left hand
_APEX_CAP = 24.0  # mm over which the lung narrows to its apex
_BASE_RISE = 62.0  # mm by which the lung base lies higher in front than at the back
_RIM = 0.7  # share of the diaphragm's squared radius at which it meets the chest wall


def _superellipse(x: Floats, y: Floats, width: float, depth: float, power: float) -> Floats:
    return np.asarray((np.abs(x) / width) ** power + (np.abs(y) / depth) ** power, np.float32)


def lung_extent(canvas: Canvas) -> tuple[float, float]:
    """Give the heights in mm of the lowest lung base and of the highest lung apex."""
    p = canvas.patient
    low = p.size * atlas.LANDMARK_HEIGHTS["lung_start"] + min(p.base)
    return low, p.size * atlas.LANDMARK_HEIGHTS["lung_end"] + max(p.apex)


def liver_top(canvas: Canvas) -> float:
    """Give the height of the top of the liver in mm."""
    return canvas.patient.size * atlas.RIGHT_DOME + canvas.patient.dome[0] - atlas.DIAPHRAGM_THICKNESS


def paint_wall(canvas: Canvas) -> None:
    """Paint skin, subcutaneous fat and a body full of muscle."""
    p = canvas.patient
    for index, z, x, y in canvas.slices():
        width, depth = (v * p.girth for v in atlas.wall(z / p.size))
        power = float(np.interp(z / p.size, [90.0, 125.0], [2.4, 2.0]))
        fat = p.fat * float(np.interp(z / p.size, [60.0, 115.0], [1.0, 0.5]))
        plane = canvas.hu[index]
        plane[_superellipse(x, y, width + fat + 2.0, depth + fat + 2.0, power) <= 1.0] = 5.0
        plane[_superellipse(x, y, width + fat, depth + fat, power) <= 1.0] = FAT_HU
        plane[_superellipse(x, y, width, depth, power) <= 1.0] = MUSCLE_HU
        # fat planes between the muscle layers of the chest wall
        layer = _superellipse(x, y, width - 7.0, depth - 6.0, power)
        plane[(layer <= 1.0) & (layer >= 0.965) & (z < 80.0 * p.size)] = -40.0


def paint_trunk(canvas: Canvas) -> None:
    """Paint mediastinal fat, lungs, diaphragm and the fat of the abdomen with its wall."""
    p = canvas.patient
    for index, z, x, y in canvas.slices():
        height = z / p.size
        spine_y = atlas.spine(height) * p.girth
        back = ((x / 56.0) ** 2 + ((y - spine_y - 36.0) / 40.0) ** 2) <= 1.0
        middle = _mediastinum(x, y, height, p.girth)
        plane = canvas.hu[index]
        surface = np.full(x.shape, -112.0 * p.size, np.float32)
        lungs = np.zeros(x.shape, bool)
        for side, apex, base, dome in zip(_SIDES, p.apex, p.base, p.dome, strict=True):
            region, squared = _lung_space(x, y, z, side, apex, canvas)
            top = p.size * (atlas.RIGHT_DOME if side < 0 else atlas.LEFT_DOME) + dome
            floor = p.size * atlas.LANDMARK_HEIGHTS["lung_start"] + base
            front = np.clip((85.0 * p.girth - y) / (170.0 * p.girth), 0.0, 1.0)
            edge = floor + _BASE_RISE * np.maximum(front - 0.06, 0.0) ** 1.3
            sheet = top - (top - edge) * np.clip(squared / _RIM, 0.0, 1.0) ** 1.25
            surface = np.where(squared <= 1.0, sheet, surface)
            lungs |= region & (z >= sheet) & (z >= floor)
        lungs &= ~middle & ~back
        inner = _superellipse(x, y + 3.0, 129.0 * p.girth, 88.0 * p.girth, 2.3) <= 1.0
        abdomen = inner & ~back & ~lungs & (z < surface)
        plane[middle & ~back & (z > -125.0 * p.size) & (z < 125.0 * p.size)] = FAT_HU + 8.0
        plane[abdomen] = MUSCLE_HU
        plane[abdomen & (z < surface - atlas.DIAPHRAGM_THICKNESS)] = FAT_HU
        plane[lungs] = LUNG_HU
        canvas.lungs[index] = lungs
        _paint_liver(plane, abdomen & (z < surface - atlas.DIAPHRAGM_THICKNESS), x, y, height, p.girth)


def _mediastinum(x: Floats, y: Floats, height: float, girth: float) -> Mask:
    """Give the space between the lungs, from the sternum to the spine."""
    half = atlas.mediastinum(height) * girth * float(np.interp(height, [85.0, 125.0], [1.0, 0.45]))
    depth = float(np.interp(height, [30.0, 95.0], [80.0, 34.0])) * girth
    centre = _superellipse(x, y + 8.0, half, depth, 2.0) <= 1.0
    return np.asarray(
        centre | ((_superellipse(x, y - 45.0 * girth, 24.0 * girth, 34.0 * girth, 2.0) <= 1.0) & (height < 70.0))
    )


def _lung_space(x: Floats, y: Floats, z: float, side: float, apex: float, canvas: Canvas) -> tuple[Mask, Floats]:
    """Give the pleural space of one side with its apex, and the squared relative distance from its axis."""
    p = canvas.patient
    cx, cy, width, depth = atlas.lung(min(z / p.size, 95.0))
    cx, cy, width, depth = side * cx * p.girth, cy * p.girth, width * p.girth * p.lung_width, depth * p.girth
    power = float(np.interp(z / p.size, [20.0, 70.0], [2.4, 2.0]))
    squared = _superellipse(x - cx, y - cy, width, depth, power)
    below = (p.size * atlas.LANDMARK_HEIGHTS["lung_end"] + apex - z) / _APEX_CAP
    cap = np.sqrt(np.clip(below, 0.0, 1.0) * (2.0 - np.clip(below, 0.0, 1.0)))
    return np.asarray(squared <= max(float(cap), 1e-6) ** power), squared


def _paint_liver(plane: Floats, space: Mask, x: Floats, y: Floats, height: float, girth: float) -> None:
    """Paint the liver under the right dome, reaching across the midline in front."""
    reach = 1.0 - ((height + 130.0) / 115.0) ** 2
    if reach <= 0.0:
        return
    scale = np.sqrt(reach) * girth
    right = _superellipse(x + 62.0 * girth, y + 4.0 * girth, 76.0 * scale, 88.0 * scale, 2.3) <= 1.0
    left = _superellipse(x - 8.0 * girth, y + 44.0 * girth, 52.0 * scale, 32.0 * scale, 2.0) <= 1.0
    plane[space & (right | (left & (height > -190.0)))] = LIVER_HU


def paint_viscera(canvas: Canvas) -> None:
    """Paint spleen, stomach with its air, kidneys and some bowel."""
    p = canvas.patient
    g, s = p.girth, p.size
    rng = np.random.Generator(np.random.PCG64([p.seed, 11]))
    for _ in range(34):
        centre = (rng.uniform(-10, 95) * g, rng.uniform(-55, 15) * g, rng.uniform(-300, -195) * s)
        canvas.ellipsoid(centre, rng.uniform(12, 24, 3), float(rng.uniform(15, 45)))
    canvas.ellipsoid((88 * g, 38 * g, -150 * s), (24 * g, 36 * g, 42 * s), 55.0)
    canvas.ellipsoid((56 * g, -22 * g, -158 * s), (40 * g, 36 * g, 38 * s), 30.0)
    canvas.ellipsoid((54 * g, -40 * g, -152 * s), (27 * g, 15 * g, 24 * s), -985.0)
    for side in _SIDES:
        canvas.ellipsoid((side * 58 * g, 42 * g, (-232 - 6 * side) * s), (26 * g, 27 * g, 50 * s), 120.0)
        canvas.ellipsoid((side * 50 * g, 40 * g, (-232 - 6 * side) * s), (12 * g, 13 * g, 30 * s), 20.0)


def texture_lungs(canvas: Canvas) -> None:
    """Give the lungs their gravity gradient and uneven density; adds to what is painted there."""
    rng = np.random.Generator(np.random.PCG64([canvas.patient.seed, 12]))
    coarse = tuple(max(4, n // 4) for n in canvas.grid.shape)
    cloud: NDArray[np.float32] = gaussian_filter(rng.standard_normal(coarse, dtype=np.float32), 1.0)
    rows = [np.minimum(np.arange(n) * m // n, m - 1) for n, m in zip(canvas.grid.shape, coarse, strict=True)]
    uneven = cloud[np.ix_(*rows)] * (18.0 / float(cloud.std()))
    _, y, _ = canvas.coordinates((slice(None), slice(None), slice(None)))
    np.add(canvas.hu, uneven + 0.35 * y, out=canvas.hu, where=canvas.lungs)


def paint_table(canvas: Canvas) -> None:
    """Paint the scanner table below the body, in scanner coordinates."""
    p, grid = canvas.patient, canvas.grid
    x = grid.origin[0] + grid.spacing[2] * np.arange(grid.shape[2])
    y = grid.origin[1] + grid.spacing[1] * np.arange(grid.shape[1])
    solid = np.flatnonzero((canvas.hu > -500.0).any(axis=(0, 2)))
    back = float(y[solid[-1]]) if solid.size else p.shift[1] + 130.0
    depth = y[:, None] - (back + 6.0 - 0.0009 * x[None, :] ** 2)
    board = (depth >= 0.0) & (depth <= 22.0) & (np.abs(x)[None, :] <= 200.0)
    shell = board & ((depth <= 3.0) | (depth >= 19.0))
    empty = canvas.hu < -950.0
    empty &= ~canvas.lungs
    canvas.hu[empty & board[None]] = -930.0
    canvas.hu[empty & shell[None]] = -150.0
