"""Render a phantom patient on a scan grid: CT numbers, organ labels, lungs and the positions of the landmarks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import gaussian_filter

from ct_assets.demo import atlas, organs, skeleton, torso, vessels
from ct_assets.demo.anatomy import Patient, sample_patient
from ct_assets.demo.canvas import Canvas, Grid

if TYPE_CHECKING:
    from numpy.typing import NDArray

ORGANS: dict[str, int] = {
    "esophagus": organs.ESOPHAGUS,
    "heart": organs.HEART,
    "trachea": vessels.TRACHEA,
    "aorta": vessels.AORTA,
}
"""Label of every organ, in the order of SegTHOR."""

SCAN_BOTTOM = -232.0
"""Height in atlas mm at which a whole scan begins."""
SCAN_TOP = 116.0
"""Height in atlas mm at which a whole scan ends."""


@dataclass(frozen=True)
class Phantom:
    """One rendered phantom; arrays are indexed slice (feet to head), row (front to back), column (right to left)."""

    patient: Patient
    grid: Grid
    hu: NDArray[np.int16]
    """CT numbers in HU, -1024 to 3071."""
    labels: NDArray[np.uint8]
    """0 background, 1 esophagus, 2 heart, 3 trachea, 4 aorta."""
    lungs: NDArray[np.uint8]
    """0 background, 1 right lung, 2 left lung; vessels and nodule belong to the lung."""
    landmarks: dict[str, float]
    """Scanner z in mm of the landmarks of body part regression that the body has, inside the scan or not."""

    @property
    def spacing(self) -> tuple[float, float, float]:
        """Distance between slices, rows and columns in mm."""
        return self.grid.spacing

    @property
    def affine(self) -> NDArray[np.float64]:
        """Matrix (4, 4) from (slice, row, column, 1) to (x, y, z, 1) in the DICOM patient frame in mm."""
        return self.grid.affine


def sample_grid(patient: Patient, *, bottom: float = SCAN_BOTTOM, top: float = SCAN_TOP) -> Grid:
    """Draw a plausible scan grid for a patient.

    Parameters
    ----------
    patient
        The patient; the grid derives from its seed.
    bottom, top
        Heights in atlas mm above the carina between which is scanned.

    Returns
    -------
    Grid
        62 to 112 slices of 3.5 to 5 mm and 152 to 204 square pixels for the default heights.
    """
    rng = np.random.Generator(np.random.PCG64([patient.seed, 21]))
    step = float(rng.choice([3.5, 4.0, 4.5, 5.0]))
    low = patient.table_z + round(patient.size * (bottom + float(rng.uniform(-6.0, 6.0))), 1)
    high = patient.table_z + patient.size * (top + float(rng.uniform(-4.0, 6.0)))
    count = int((high - low) / step) + 1
    width = 2.0 * (172.0 * patient.girth + patient.fat + 18.0)
    pixel = round(max(float(rng.uniform(2.1, 2.4)), width / 200.0), 3)
    side = 4 * int(np.ceil(width / pixel / 4))
    corner = round(-pixel * (side - 1) / 2, 3)
    return Grid((count, side, side), (step, pixel, pixel), (corner, corner, round(low, 1)))


def render(patient: Patient, grid: Grid) -> Phantom:
    """Render a patient on a grid.

    Parameters
    ----------
    patient
        Who is scanned.
    grid
        Where; parts of the body outside it are not rendered.

    Returns
    -------
    Phantom
        The same patient and grid give the same arrays.
    """
    canvas = Canvas(grid, patient)
    torso.paint_wall(canvas)
    torso.paint_trunk(canvas)
    torso.paint_viscera(canvas)
    skeleton.paint_ribs(canvas)
    skeleton.paint_girdle(canvas)
    torso.texture_lungs(canvas)
    vessels.paint_lung_trees(canvas)
    organs.paint_heart(canvas)
    vessels.paint_great_vessels(canvas)
    vessels.paint_aorta(canvas)
    organs.paint_esophagus(canvas)
    vessels.paint_airways(canvas)
    skeleton.paint_spine(canvas)
    torso.paint_table(canvas)
    return Phantom(patient, grid, _scan(canvas), canvas.labels, _sides(canvas), _landmarks(canvas))


def make_phantom(seed: int) -> Phantom:
    """Render the patient of a seed on its own grid."""
    patient = sample_patient(seed)
    return render(patient, sample_grid(patient))


def _scan(canvas: Canvas) -> NDArray[np.int16]:
    """Blur by the point spread of the scanner and the slice profile, add noise, round to whole HU."""
    rng = np.random.Generator(np.random.PCG64([canvas.patient.seed, 15]))
    image = gaussian_filter(canvas.hu, (0.35, 0.6, 0.6))
    noise = gaussian_filter(rng.standard_normal(canvas.grid.shape, dtype=np.float32), (0.0, 0.6, 0.6))
    image += noise * (canvas.patient.noise / float(noise.std()))
    return np.asarray(np.clip(np.rint(image), -1024, 3071), np.int16)


def _sides(canvas: Canvas) -> NDArray[np.uint8]:
    x, _, _ = canvas.coordinates((slice(None), slice(None), slice(None)))
    return np.where(canvas.lungs, np.where(x < 0.0, 1, 2), 0).astype(np.uint8)


def _landmarks(canvas: Canvas) -> dict[str, float]:
    patient = canvas.patient
    low, high = torso.lung_extent(canvas)
    heights = {name: atlas.LANDMARK_HEIGHTS[name] * patient.size for name in atlas.BODY_LANDMARKS}
    heights |= {"lung_start": low, "lung_end": high, "liver_end": torso.liver_top(canvas)}
    return {name: patient.table_z + z for name, z in sorted(heights.items(), key=lambda item: item[1])}
