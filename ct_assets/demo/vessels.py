"""The great vessels, the airways and the vessel trees of the lungs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ct_assets.demo.canvas import Canvas, smooth_path

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

TRACHEA = 3
AORTA = 4

_AIR_HU = -990.0
_WALL_HU = 35.0
_BRONCHUS_LABELLED = 24.0  # mm of each main bronchus that belongs to the trachea


def _scale(canvas: Canvas) -> NDArray[np.float64]:
    return np.array([canvas.patient.girth, canvas.patient.girth, canvas.patient.size])


def paint_aorta(canvas: Canvas) -> None:
    """Paint ascending aorta, arch and descending aorta down to the abdomen."""
    p = canvas.patient
    up, left = p.arch
    points = np.array([
        (2, -26, -42), (-11, -33, -22), (-15, -33, 2), (-11, -31, 19 + up), (3 + left, -23, 31 + up),
        (19 + left, -6, 33 + up),
        (26 + left / 2, 13, 24 + up), (25, 27, 4), (24, 32, -30), (21, 35, -70), (15, 34, -110), (9, 28, -150),
        (5, 18, -200), (3, 12, -260),
        (2, 10, -400),
    ], dtype=float) * _scale(canvas)  # fmt: skip
    path = smooth_path(points)
    share = np.linspace(0.0, 1.0, len(path))
    radius = np.interp(share, [0.0, 0.12, 0.25, 0.4, 1.0], [14.8, 14.8, 12.5, 11.0, 8.5]) * p.aorta_radius
    canvas.tube(path, radius + 1.2, 45.0, label=AORTA)
    canvas.tube(path, radius, p.blood, label=AORTA)


def paint_great_vessels(canvas: Canvas) -> None:
    """Paint caval veins, pulmonary arteries and the arteries of the head and arms."""
    p = canvas.patient
    scale = _scale(canvas)
    vein = p.blood - 15.0
    trees: list[tuple[ArrayLike, ArrayLike, float]] = [
        ([(-22, -8, -98), (-24, -2, -140), (-22, 12, -200), (-18, 14, -400)], 10.5, vein),
        ([(-24, -18, -45), (-27, -20, 0), (-25, -24, 35), (-26, -22, 60)], [9.0], vein),
        ([(-26, -23, 42), (0, -38, 46), (24, -32, 58), (32, -16, 84)], 6.0, vein),
        ([(-26, -22, 60), (-32, -14, 90), (-32, -8, 125), (-30, -6, 200)], 5.5, vein),
        ([(32, -16, 84), (33, -8, 125), (30, -6, 200)], 5.5, vein),
        ([(-1, -16, 34), (-10, -18, 58), (-22, -10, 90), (-23, -6, 125), (-22, -4, 200)], 5.0, p.blood),
        ([(7, -6, 34), (14, -12, 60), (22, -8, 92), (23, -6, 125), (22, -4, 200)], 4.0, p.blood),
        ([(13, 4, 32), (24, 8, 58), (38, 2, 78), (62, -6, 82)], 4.5, p.blood),
        ([(-14, -18, 66), (-36, -4, 80), (-62, -6, 82)], 4.5, p.blood),
        (
            [(14, -48, -34), (16, -44, -18), (22, -26, -6), (34, -4, -4), (48, 8, -12)],
            [13.0, 12.5, 11.0, 9.0, 6.5],
            p.blood,
        ),
        (
            [(20, -28, -10), (4, -14, -15), (-16, -9, -18), (-38, 2, -22), (-50, 8, -28)],
            [10.5, 9.5, 9.5, 8.0, 6.0],
            p.blood,
        ),
        ([(-8, -2, -44), (-40, 6, -40)], [8.0, 5.0], vein),
        ([(26, -4, -44), (50, 8, -38)], [8.0, 5.0], vein),
    ]
    for points, radius, hu in trees:
        path = np.asarray(points, float) * scale
        radii = np.interp(
            np.linspace(0, 1, 64), np.linspace(0, 1, np.size(radius)), np.atleast_1d(np.asarray(radius, float))
        )
        smooth = smooth_path(path)
        canvas.tube(smooth, radii[np.linspace(0, 63, len(smooth)).astype(int)], hu)


def paint_airways(canvas: Canvas) -> None:
    """Paint trachea and bronchi; the trachea's label ends a little below the carina in both main bronchi."""
    p = canvas.patient
    scale = _scale(canvas)
    trachea = (
        np.array(
            [(0, -12, 200), (0, -20, 120), (p.trachea_shift - 1, -8, 60), (p.trachea_shift / 2 - 3, 0, 24), (0, 3, 0)]
        )
        * scale
    )
    tube = smooth_path(trachea)
    right = smooth_path(np.array([(0, 3, 2), (-11, 4, -13), (-24, 5, -26), (-38, 8, -36), (-50, 14, -52)]) * scale, 4.0)
    left = smooth_path(np.array([(0, 3, 2), (13, 5, -12), (30, 8, -23), (44, 12, -30), (58, 18, -46)]) * scale, 4.0)
    width = 8.6 * p.trachea_radius
    thin = [np.interp(np.linspace(0, 1, len(b)), [0, 0.3, 1], [0.85 * width, 0.72 * width, 3.0]) for b in (right, left)]
    canvas.tube(tube, width + 1.6, _WALL_HU)
    for branch, radius in zip((right, left), thin, strict=True):
        canvas.tube(branch, radius + 1.3, _WALL_HU)
    for branch, radius in zip((right, left), thin, strict=True):
        run = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(branch, axis=0), axis=1))])
        labelled = int(np.searchsorted(run, _BRONCHUS_LABELLED)) + 1
        canvas.tube(branch[labelled - 1 :], radius[labelled - 1 :], _AIR_HU)
        canvas.tube(branch[:labelled], radius[:labelled], _AIR_HU, label=TRACHEA)
    canvas.tube(tube, width, _AIR_HU, label=TRACHEA)


def paint_lung_trees(canvas: Canvas) -> None:
    """Paint arteries and veins branching from each hilum, and the nodule; they stay part of the lungs."""
    p = canvas.patient
    rng = np.random.Generator(np.random.PCG64([p.seed, 13]))
    for side in (-1.0, 1.0):
        hilum = np.array([side * 40.0 * p.girth, 8.0, -18.0 * p.size])
        for direction in rng.uniform(-1.0, 1.0, (12, 3)) * (0.7, 1.0, 1.0) + (0.7 * side, 0.0, -0.2):
            _branch(canvas, rng, hilum, direction, 4.4, 36.0, 4)
    side, height, angle, radius = p.nodule
    if radius > 0.0:
        turn = np.deg2rad(angle)
        centre = np.array([side * 72.0 + 26.0 * np.cos(turn), 8.0 + 36.0 * np.sin(turn), height]) * _scale(canvas)
        canvas.tube(
            np.array([centre, centre + np.array([0.0, 0.0, 0.3 * radius])]),
            radius,
            38.0,
            within=canvas.lungs.copy(),
            keep_lung=True,
        )


def _branch(
    canvas: Canvas,
    rng: np.random.Generator,
    start: NDArray[np.float64],
    direction: ArrayLike,
    radius: float,
    length: float,
    depth: int,
) -> None:
    unit = np.asarray(direction, float) / np.linalg.norm(np.asarray(direction, float))
    end = start + unit * length
    canvas.tube(np.array([start, end]), [radius, 0.78 * radius], 40.0, within=canvas.lungs, keep_lung=True)
    if depth == 0:
        return
    for turn in rng.normal(0.0, 0.55, (2, 3)):
        _branch(canvas, rng, end, unit + turn, 0.72 * radius, 0.78 * length, depth - 1)
