"""Outlines of masks as SVG paths in mm, and the colours that they are drawn in."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from skimage.measure import approximate_polygon, find_contours

from ct_assets.dicom.codes import organ_codes

SIMPLIFICATION_MM = 0.2
"""Largest distance of a drawn outline from the mask's in mm."""

_MINIMUM_LUMINANCE = 0.28


def contours(mask: npt.NDArray[Any]) -> list[npt.NDArray[np.float64]]:
    """Return the closed outlines of a mask in voxel indices.

    Parameters
    ----------
    mask : ndarray of bool, shape (rows, columns)
        Mask.

    Returns
    -------
    list of ndarray of shape (points, 2)
        Row and column of each point; pixel centres are at whole numbers.
    """
    if not mask.any():
        return []
    return [points - 1 for points in find_contours(np.pad(mask, 1).astype(np.float32), 0.5)]


def svg_path(mask: npt.NDArray[Any], pixel_mm: tuple[float, float]) -> str:
    """Return the outlines of a mask as the ``d`` of an SVG path.

    Parameters
    ----------
    mask : ndarray of bool, shape (rows, columns)
        Mask.
    pixel_mm : tuple of float
        Width and height of a pixel in mm.

    Returns
    -------
    str
        Path in mm from the upper left corner of the image; empty for an empty mask.
    """
    width, height = pixel_mm
    parts = []
    for points in contours(mask):
        millimetres = (points[:, ::-1] + 0.5) * (width, height)
        simplified = approximate_polygon(millimetres, SIMPLIFICATION_MM)
        parts.append("M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in simplified[:-1]) + "Z")
    return "".join(parts)


def organ_colour(organ: str) -> tuple[int, int, int]:
    """Return the recommended colour of an organ, mixed with white until it is legible on black.

    Parameters
    ----------
    organ : str
        Organ.

    Returns
    -------
    tuple of int
        RGB, 0 to 255.
    """
    rgb = next(code.rgb for code in organ_codes().values() if code.name == organ)
    while _luminance(rgb) < _MINIMUM_LUMINANCE:
        rgb = (_lighter(rgb[0]), _lighter(rgb[1]), _lighter(rgb[2]))
    return rgb


def css(rgb: Sequence[int]) -> str:
    """Return a colour as CSS writes it."""
    return "#" + "".join(f"{value:02x}" for value in rgb)


def _lighter(value: int) -> int:
    return value + max((255 - value) // 8, 1) if value < 255 else 255


def _luminance(rgb: tuple[int, int, int]) -> float:
    """Relative luminance (WCAG 2.1)."""
    linear = [value / 255 / 12.92 if value <= 10 else ((value / 255 + 0.055) / 1.055) ** 2.4 for value in rgb]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
