"""CT volumes that the tests of organ segmentation work on."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter, zoom

from ct_assets.demo.phantom import make_phantom


@dataclass(frozen=True)
class Scan:
    """A CT as NIfTI: its file, its voxels (columns, rows, slices) and its spacing in that order, mm."""

    path: Path
    volume: npt.NDArray[Any]
    spacing_mm: tuple[float, float, float]


def write_scan(path: Path, volume: npt.NDArray[Any], affine: npt.NDArray[np.float64]) -> Path:
    """Write a CT with its geometry in qform and sform."""
    image = nib.Nifti1Image(volume, affine)
    image.set_qform(affine, 1)
    nib.save(image, path)
    return path


def phantom_hu(seed: int = 1) -> npt.NDArray[np.int16]:
    """Return a phantom's HU, shape (columns, rows, slices)."""
    return np.ascontiguousarray(make_phantom(seed).hu.transpose(2, 1, 0))


def anisotropic(seed: int = 2) -> npt.NDArray[np.int16]:
    """Return a piece of a phantom on a grid of 0.98 by 0.98 by 5 mm, air around it."""
    phantom = make_phantom(seed)
    hu = phantom.hu.transpose(2, 1, 0).astype(np.float32)
    factors = [before / after for before, after in zip(phantom.spacing[::-1], (0.98, 0.98, 5.0), strict=True)]
    volume = np.rint(zoom(hu, factors, order=1)).astype(np.int16)
    middle = [size // 2 for size in volume.shape]
    return np.ascontiguousarray(volume[middle[0] - 110 : middle[0] + 110, middle[1] - 100 : middle[1] + 100])


def oblique(spacing_mm: tuple[float, float, float], degrees: float = 12.0) -> npt.NDArray[np.float64]:
    """Return the affine of slices that are turned about the patient's left-right axis."""
    angle = np.deg2rad(degrees)
    turned = np.array([[-1, 0, 0], [0, -np.cos(angle), np.sin(angle)], [0, np.sin(angle), np.cos(angle)]])
    affine = np.eye(4)
    affine[:3, :3] = turned * spacing_mm
    affine[:3, 3] = (101.3, 88.7, -402.1)
    return affine


def smooth_noise(shape: tuple[int, ...], seed: int) -> npt.NDArray[np.float32]:
    """Return noise of mean 0 and deviation 1 that is smooth over a few voxels."""
    noise = gaussian_filter(np.random.default_rng(seed).standard_normal(shape), 2)
    return ((noise - noise.mean()) / noise.std()).astype(np.float32)
