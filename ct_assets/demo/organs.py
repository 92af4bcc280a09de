"""Heart and esophagus of the phantom."""

from __future__ import annotations

import numpy as np

from ct_assets.demo.canvas import Canvas, smooth_path

ESOPHAGUS = 1
HEART = 2

_MYOCARDIUM_HU = 70.0
_EPICARDIAL_FAT_HU = -85.0
_ESOPHAGUS_HU = 45.0


def paint_heart(canvas: Canvas) -> None:
    """Paint pericardial fat, ventricles and atria with slightly enhanced chambers."""
    p = canvas.patient
    scale = np.array([p.girth, p.girth, p.size])
    shift = np.array(p.heart_shift)
    tilt = np.deg2rad(38.0 + p.heart_tilt)  # of the long axis from the left towards the front
    dip = np.deg2rad(22.0)
    long = np.array([np.cos(tilt) * np.cos(dip), -np.sin(tilt) * np.cos(dip), -np.sin(dip)])
    across = np.cross(long, (0.0, 0.0, 1.0))
    across /= np.linalg.norm(across)
    axes = np.stack([long, across, np.cross(long, across)])
    ventricles = np.array([24.0, -33.0, -68.0]) * scale + shift
    atria = np.array([0.0, -22.0, -48.0]) * scale + shift * (1.0, 0.0, 1.0)
    size = np.array([66.0, 49.0, 47.0]) * p.girth * p.heart_scale
    hall = np.array([46.0, 33.0, 35.0]) * p.girth * p.heart_scale[1]
    blood = 0.9 * p.blood
    for margin, hu, label in ((4.0, _EPICARDIAL_FAT_HU, 0), (0.0, _MYOCARDIUM_HU, HEART)):
        canvas.ellipsoid(ventricles, size + margin, hu, axes=axes, label=label)
        canvas.ellipsoid(atria, hall + margin * (hu < 0), hu, label=label)
    left = ventricles + 4.0 * long + across * -13.0 * p.girth
    right = ventricles - 2.0 * long + across * 17.0 * p.girth
    for centre, share in ((left, (0.62, 0.40, 0.62)), (right, (0.68, 0.36, 0.66))):
        canvas.ellipsoid(centre, size * share, blood, axes=axes, label=HEART)
    canvas.ellipsoid(atria + np.array([20.0, 8.0, 2.0]) * p.girth, hall * (0.48, 0.62, 0.66), blood, label=HEART)
    canvas.ellipsoid(atria + np.array([-20.0, 0.0, 0.0]) * p.girth, hall * (0.46, 0.72, 0.72), blood, label=HEART)


def paint_esophagus(canvas: Canvas) -> None:
    """Paint the esophagus from the neck to the stomach, with a thin string of air bubbles."""
    p = canvas.patient
    neck, carina, hiatus = p.esophagus_shift
    path = smooth_path(np.array([
        (-1, 3, 200), (-1 + neck, 2, 125), (3 + neck, 10, 70), (5 + carina, 19, 20),
        (1 + carina, 21, 0), (1 + carina, 21, -40),
        (4 + carina, 22, -75), (9 + hiatus, 17, -105), (20 + hiatus, 8, -126), (36, -6, -142),
    ]) * (p.girth, p.girth, p.size), 5.0)  # fmt: skip
    radius = 7.6 * p.esophagus_radius
    canvas.tube(path, radius + 2.0, -95.0)
    canvas.tube(path, radius, _ESOPHAGUS_HU, label=ESOPHAGUS)
    rng = np.random.Generator(np.random.PCG64([p.seed, 14]))
    for start in rng.choice(len(path) - 16, 5, replace=False):
        bubble = path[start : start + int(rng.integers(2, 6))] - (0.0, 1.5, 0.0)
        canvas.tube(bubble, float(rng.uniform(1.6, 3.0)), -850.0, label=ESOPHAGUS)
