"""The 14 shape features of a mask, equal to pyradiomics' at a fraction of its time."""

import math

import numpy as np
import numpy.typing as npt

from ct_assets.shape_features.mesh import measure_mesh

_NO_VOLUME = 1e-9
"""Volume of a mesh, in voxels, that is nothing but rounding: three voxels that touch by edges may enclose none."""


def measure_shape(mask: npt.NDArray[np.bool_], spacing_mm: tuple[float, float, float]) -> dict[str, float]:
    """Measure the shape of a mask.

    Parameters
    ----------
    mask : ndarray of bool, shape (columns, rows, slices)
        Mask, cropped to its bounding box, of more than one voxel along every axis.
    spacing_mm : tuple of float
        Voxel size in that order, mm.

    Returns
    -------
    dict of str to float
        The 14 features of the paper's table 3 by pyradiomics' names, in mm, mm2, mm3, 1/mm or without a unit. Not a
        number: what is divided by the volume of a mesh that encloses none.

    Notes
    -----
    Formulas: van Griethuysen JJM et al., Cancer Res 2017;77:e104-7 (pyradiomics), after the Image Biomarker
    Standardisation Initiative, Radiology 2020;295:328-38, morphological features.
    """
    # Marching cubes are not the same seen along another axis, so the axes go in pyradiomics' order.
    arranged = np.ascontiguousarray(mask.transpose(2, 1, 0))
    spacing = np.array(spacing_mm[::-1], dtype=np.float64)
    mesh = measure_mesh(arranged, spacing)
    voxel = float(np.prod(spacing))
    area, volume = mesh.surface_area, mesh.volume if abs(mesh.volume) > _NO_VOLUME * voxel else 0.0
    least, minor, major = _variances(arranged, spacing)
    sphere_area = float(np.cbrt(36 * np.pi * volume**2))
    return {
        "Elongation": float(np.sqrt(minor / major)),
        "Flatness": float(np.sqrt(least / major)),
        "LeastAxisLength": 4 * float(np.sqrt(least)),
        "MajorAxisLength": 4 * float(np.sqrt(major)),
        "Maximum3DDiameter": mesh.maximum_diameter,
        "MeshVolume": volume,
        "MinorAxisLength": 4 * float(np.sqrt(minor)),
        "Sphericity": sphere_area / area,
        "SurfaceArea": area,
        "SurfaceVolumeRatio": area / volume if volume else math.nan,
        "VoxelVolume": int(np.count_nonzero(arranged)) * voxel,
        "Compactness1": volume / (area**1.5 * float(np.sqrt(np.pi))),
        "Compactness2": 36 * np.pi * volume**2 / area**3,
        "SphericalDisproportion": area / sphere_area if volume else math.nan,
    }


def _variances(mask: npt.NDArray[np.bool_], spacing: npt.NDArray[np.float64]) -> tuple[float, float, float]:
    """Return the variances of the voxel centres along their principal axes, mm2, smallest first.

    Indices and their products are summed as whole numbers, from the voxel counts of the lines along each axis, so that
    nothing is lost by taking the mean off afterwards.
    """
    count = int(np.count_nonzero(mask))
    index = [np.arange(length) for length in mask.shape]
    sums, products = np.zeros(3, dtype=np.int64), np.zeros((3, 3), dtype=np.int64)
    for hidden, (one, other) in enumerate(((1, 2), (0, 2), (0, 1))):
        lines = mask.sum(axis=hidden, dtype=np.int64)
        products[one, other] = products[other, one] = index[one] @ lines @ index[other]
        planes = lines.sum(axis=1)
        sums[one], products[one, one] = index[one] @ planes, index[one] ** 2 @ planes
        planes = lines.sum(axis=0)
        sums[other], products[other, other] = index[other] @ planes, index[other] ** 2 @ planes
    # As Python's integers, because these products may have more than 64 bits.
    scaled = products.astype(object) * count - np.outer(sums.astype(object), sums.astype(object))
    covariance = (scaled / count**2).astype(np.float64) * np.outer(spacing, spacing)
    least, minor, major = np.linalg.eigvalsh(covariance).tolist()
    rank = _rank(scaled.tolist())
    # Rounding may leave a tiny one below zero.
    return max(least, 0.0) if rank == 3 else 0.0, max(minor, 0.0) if rank >= 2 else 0.0, major


def _rank(matrix: list[list[int]]) -> int:
    """Return the rank of a positive semidefinite matrix of whole numbers: voxels in a plane have 2, in a line 1."""
    (a, b, c), (_, d, e), (_, _, f) = matrix
    minors = (a * d - b * b, a * f - c * c, d * f - e * e)
    if a * minors[2] - b * (b * f - c * e) + c * (b * e - c * d):
        return 3
    return 2 if any(minors) else 1
