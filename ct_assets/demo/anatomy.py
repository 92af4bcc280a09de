"""The parameters of one phantom patient: size, pose and organ shape, drawn from a seeded generator."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Patient:
    """One phantom patient.

    Lengths are in mm, angles in degrees. The patient frame has x towards the
    left hand, y towards the back and z towards the head, its origin in the
    midline at the height of the carina.
    """

    seed: int
    """Seed that everything random inside the body (vessels, texture, noise) derives from."""
    size: float
    """Scale of height, 1 for the atlas patient."""
    girth: float
    """Scale of width and depth, 1 for the atlas patient."""
    fat: float
    """Thickness of the subcutaneous fat."""
    rotation: float
    """Rotation about the table axis."""
    shift: tuple[float, float]
    """Shift of the midline from the isocentre, to the left and to the back."""
    lean: tuple[float, float]
    """Sideways and backward drift of the midline per mm of height."""
    table_z: float
    """Scanner z coordinate of the carina."""
    apex: tuple[float, float]
    """Offset of the right and the left lung apex."""
    base: tuple[float, float]
    """Offset of the right and the left lung base (costophrenic angle)."""
    dome: tuple[float, float]
    """Offset of the right and the left diaphragm dome."""
    lung_width: float
    """Scale of the width of the lungs."""
    heart_scale: tuple[float, float, float]
    """Scale of the heart along its long axis and the two short ones."""
    heart_shift: tuple[float, float, float]
    """Shift of the heart to the left, the back and the head."""
    heart_tilt: float
    """Rotation of the long axis of the heart in the axial plane."""
    arch: tuple[float, float]
    """Height offset of the aortic arch and its shift to the left."""
    aorta_radius: float
    """Scale of the radius of the aorta."""
    trachea_radius: float
    """Scale of the radius of the trachea."""
    trachea_shift: float
    """Shift of the middle of the trachea to the left."""
    esophagus_shift: tuple[float, float, float]
    """Shift of the esophagus to the left at neck, carina and hiatus."""
    esophagus_radius: float
    """Scale of the radius of the esophagus."""
    blood: float
    """CT number of contrast-enhanced blood in HU."""
    nodule: tuple[float, float, float, float]
    """Lung nodule: side (-1 right, 1 left), height, angle and radius; radius 0 for none."""
    noise: float
    """Standard deviation of the image noise in HU."""


def sample_patient(seed: int) -> Patient:
    """Draw a patient.

    Parameters
    ----------
    seed
        Any non-negative integer; the same seed gives the same patient.

    Returns
    -------
    Patient
    """
    rng = np.random.Generator(np.random.PCG64(seed))

    def between(low: float, high: float) -> float:
        return float(rng.uniform(low, high))

    size = between(0.92, 1.08)
    return Patient(
        seed=seed,
        size=size,
        girth=size * between(0.95, 1.05),
        fat=between(9.0, 24.0),
        rotation=between(-5.0, 5.0),
        shift=(between(-12.0, 12.0), between(-10.0, 10.0)),
        lean=(between(-0.03, 0.03), between(-0.03, 0.03)),
        table_z=round(between(-260.0, 60.0), 1),
        apex=(between(-2.5, 2.5), between(-2.5, 2.5)),
        base=(between(-2.5, 2.5), between(-2.5, 2.5)),
        dome=(between(-7.0, 7.0), between(-7.0, 7.0)),
        lung_width=between(0.96, 1.03),
        heart_scale=(between(0.92, 1.07), between(0.92, 1.06), between(0.92, 1.06)),
        heart_shift=(between(-5.0, 7.0), between(-4.0, 2.0), between(-6.0, 6.0)),
        heart_tilt=between(-12.0, 12.0),
        arch=(between(-5.0, 6.0), between(-4.0, 4.0)),
        aorta_radius=between(0.9, 1.15),
        trachea_radius=between(0.9, 1.15),
        trachea_shift=between(-4.0, 4.0),
        esophagus_shift=(between(-3.0, 4.0), between(-2.0, 3.0), between(-4.0, 4.0)),
        esophagus_radius=between(0.95, 1.2),
        blood=between(90.0, 170.0),
        nodule=(
            float(rng.choice([-1.0, 1.0])),
            between(-70.0, 40.0),
            between(0.0, 360.0),
            float(rng.choice([0.0, between(4.0, 13.0)], p=[0.3, 0.7])),
        ),
        noise=between(11.0, 18.0),
    )
