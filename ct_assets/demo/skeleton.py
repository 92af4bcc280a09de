"""The bones of the phantom: vertebrae with the spinal canal, ribs, sternum, clavicles and shoulder blades."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from ct_assets.demo import atlas
from ct_assets.demo.canvas import Canvas, smooth_path

_CORTEX_HU = 520.0
_MARROW_HU = 190.0
_DISC_HU = 85.0
_CARTILAGE_HU = 110.0
_RIB_END = (
    1.9,
    2.25,
    2.4,
    2.45,
    2.45,
    2.45,
    2.4,
    2.3,
    2.1,
    1.95,
    1.35,
    1.0,
)  # angle at which the bone of each rib ends
_RIB_DROP = (26, 38, 48, 56, 62, 66, 68, 66, 62, 56, 40, 28)  # mm from the back to the front end
_CANAL_RADIUS = 8.5


def paint_spine(canvas: Canvas) -> None:
    """Paint the vertebral bodies and discs, the spinal canal and the processes."""
    p = canvas.patient
    heights = [atlas.LANDMARK_HEIGHTS[name] for name in atlas.VERTEBRAE]
    edges = np.array([heights[0] - 17.0, *((a + b) / 2 for a, b in pairwise(heights)), heights[-1] + 7.0]) * p.size
    for low, high, height in zip(edges[:-1], edges[1:], heights, strict=True):
        y = atlas.spine(height) * p.girth
        half = float(np.interp(height, [-300, -170, 0, 75, 120], [24, 21, 16, 14.5, 11.5])) * p.girth
        deep = half * float(np.interp(height, [-170, 80], [0.8, 0.72]))
        back = y + deep + _CANAL_RADIUS
        mid = height * p.size
        for side in (-1.0, 1.0):
            wing = [(side * 9, back, mid), (side * 24, back + 6, mid + 1), (side * 34, back + 14, mid + 3)]
            canvas.tube(np.array(wing), [5.0, 5.0, 4.0], _CORTEX_HU - 120.0)
        canvas.tube(np.array([(0, back + 12, mid - 2), (0, back + 34, mid - 14)]), [4.0, 3.5], _CORTEX_HU - 120.0)
        for index, z, px, py in canvas.slices(low, high):
            local = py - atlas.spine(z / p.size) * p.girth
            radius = (px / half) ** 2 + (local / deep) ** 2
            body = radius <= 1.0
            plane = canvas.hu[index]
            rim = min(z - low, high - z) / (high - low)
            if rim < 0.1:
                plane[body] = _DISC_HU
            else:
                plane[body] = _MARROW_HU if rim > 0.18 else _CORTEX_HU - 150.0
                plane[body & (radius >= 0.8)] = _CORTEX_HU
            canal = px**2 + (local - deep - _CANAL_RADIUS) ** 2
            ring = (canal <= (_CANAL_RADIUS + 5.0) ** 2) & ~body & (rim > 0.2)
            plane[ring] = _CORTEX_HU - 80.0
            plane[canal <= _CANAL_RADIUS**2] = 8.0
            plane[canal <= (_CANAL_RADIUS - 3.0) ** 2] = 38.0
            canvas.lungs[index][body | ring | (canal <= _CANAL_RADIUS**2)] = False


def paint_ribs(canvas: Canvas) -> None:
    """Paint twelve pairs of ribs with marrow and the costal cartilages."""
    p = canvas.patient
    for number in range(1, 13):
        start = atlas.LANDMARK_HEIGHTS[f"Th{number}"] + 4.0
        end = _RIB_END[number - 1]
        tip = 2.95 if number <= 7 else min(end + 0.35, 2.6) if number <= 10 else end
        angles = np.linspace(0.25, tip, 26)
        for side in (-1.0, 1.0):
            points = np.array([_rib_point(float(a), start, _RIB_DROP[number - 1], side) for a in angles])
            points *= (p.girth, p.girth, p.size)
            bone = angles <= end
            if not bone.all():
                canvas.tube(points[np.flatnonzero(bone)[-1] :], 5.0, _CARTILAGE_HU)
            canvas.tube(points[bone], 5.2, _CORTEX_HU)
            canvas.tube(points[bone], 2.8, _MARROW_HU + 40.0)


def _rib_point(angle: float, start: float, drop: float, side: float) -> tuple[float, float, float]:
    """Give a point of the rib's axis in atlas mm; the angle runs from the spine (0) to the sternum (pi)."""
    height = start - drop * (1.0 - np.cos(angle)) / 2.0
    x, y, width, depth = atlas.lung(min(max(height, -175.0), 70.0))
    outer, deep = x + width + 7.0, depth + 6.5
    # the same rounded outline as the lung space, closed across the midline
    direction = np.array([np.sin(angle), np.cos(angle)])
    reach = float((np.abs(direction) ** 2.4).sum()) ** (-1 / 2.4)
    return side * outer * reach * float(direction[0]), y + deep * reach * float(direction[1]), height


def paint_girdle(canvas: Canvas) -> None:
    """Paint sternum, clavicles and shoulder blades."""
    p = canvas.patient
    scale = np.array([p.girth, p.girth, p.size])
    for index, z, x, y in canvas.slices(-100.0 * p.size, 46.0 * p.size):
        height = z / p.size
        front = _sternum_y(height) * p.girth
        half = float(np.interp(height, [-100, -90, 10, 18, 30, 46], [6, 15, 15, 20, 26, 20])) * p.girth
        shape = (np.abs(x) / half) ** 2.5 + (np.abs(y - front) / 6.5) ** 2.5
        canvas.hu[index][shape <= 1.0] = _MARROW_HU + 30.0 if abs(height - 13.0) > 2.0 else _CARTILAGE_HU
        canvas.hu[index][(shape <= 1.0) & (shape >= 0.5)] = _CORTEX_HU - 100.0
        canvas.lungs[index][shape <= 1.0] = False
    for side in (-1.0, 1.0):
        clavicle = np.array([(side * 22, -52, 48), (side * 60, -56, 62), (side * 98, -22, 76)]) * scale
        canvas.tube(smooth_path(clavicle), 6.0, _CORTEX_HU)
        canvas.tube(smooth_path(clavicle), 3.4, _MARROW_HU)
        for level in np.arange(-68.0, 58.0, 3.0):
            inner = 66.0 + 0.1 * abs(level)
            outer = float(np.interp(level, [-68, -50, 58], [72, 96, 126]))
            blade = np.array(
                [(side * inner, 84, level), (side * (inner + outer) / 2, 79, level), (side * outer, 62, level)]
            )
            canvas.tube(blade * scale, [2.4, 2.4, 4.0], _CORTEX_HU - 60.0)


def _sternum_y(height: float) -> float:
    return float(np.interp(height, [-100, -40, 10, 46], [-99, -97, -86, -66]))
