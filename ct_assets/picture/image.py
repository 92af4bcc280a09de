"""Grey images of CT planes: windowing, true proportions, and PNG within a byte budget."""

import base64
import io
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image


@dataclass(frozen=True)
class Window:
    """A display window in HU."""

    name: str
    level: float
    width: float


SOFT_TISSUE = Window("soft tissue", level=40, width=400)
"""Mediastinal window."""

LUNG = Window("lung", level=-600, width=1500)
"""Lung window."""

IMAGE_BUDGET = 150_000
"""Largest PNG of a plane in bytes: three planes and the body axis in base64 leave 200 kB of the series page's 1 MB."""

_LONGEST_SIDE = 560


def windowed(image: npt.NDArray[Any], window: Window) -> npt.NDArray[np.uint8]:
    """Map HU to grey values (DICOM PS3.3 C.11.2.1.2, linear exact).

    Parameters
    ----------
    image : ndarray of shape (rows, columns)
        HU.
    window : Window
        Level and width.

    Returns
    -------
    ndarray of uint8, shape (rows, columns)
        0 at and below the window, 255 at and above it.
    """
    scaled = (np.asarray(image, dtype=np.float32) - (window.level - window.width / 2)) / window.width
    return np.asarray(np.clip(np.nan_to_num(scaled), 0, 1) * 255 + 0.5, dtype=np.uint8)


def grey_image(image: npt.NDArray[Any], window: Window, size_mm: tuple[float, float], longest_side: int) -> Image.Image:
    """Return a windowed plane with square pixels.

    Parameters
    ----------
    image : ndarray of shape (rows, columns)
        HU.
    window : Window
        Display window.
    size_mm : tuple of float
        Width and height of the plane.
    longest_side : int
        Longer side of the result in pixels.
    """
    scale = longest_side / max(size_mm)
    size = (max(round(size_mm[0] * scale), 1), max(round(size_mm[1] * scale), 1))
    return Image.fromarray(windowed(image, window)).resize(size, Image.Resampling.BICUBIC, reducing_gap=3)


def png_within(image: Image.Image, budget: int) -> bytes:
    """Encode as PNG in at most so many bytes: fewer grey levels or colours first, then fewer pixels.

    Parameters
    ----------
    image : Image
        Grey or RGB image.
    budget : int
        Largest size in bytes.

    Raises
    ------
    ValueError
        If not even 8 pixels fit.
    """
    while True:
        for levels in (256, 64, 32):
            content = _png(_with_levels(image, levels))
            if len(content) <= budget:
                return content
        if max(image.size) < 8:
            break
        smaller = (max(image.width * 4 // 5, 1), max(image.height * 4 // 5, 1))
        image = image.resize(smaller, Image.Resampling.LANCZOS)
    message = f"no PNG of {image.size} pixels fits {budget} bytes"
    raise ValueError(message)


def plane_data_url(image: npt.NDArray[Any], window: Window, size_mm: tuple[float, float]) -> str:
    """Return a plane as the data URL of a PNG with true proportions.

    Parameters
    ----------
    image : ndarray of shape (rows, columns)
        HU.
    window : Window
        Display window.
    size_mm : tuple of float
        Width and height of the plane.
    """
    return data_url(png_within(grey_image(image, window, size_mm, _LONGEST_SIDE), IMAGE_BUDGET))


def data_url(png: bytes) -> str:
    """Return a PNG as a data URL."""
    return "data:image/png;base64," + base64.b64encode(png).decode()


def _with_levels(image: Image.Image, levels: int) -> Image.Image:
    if image.mode == "RGB":
        return image.quantize(levels, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    step = 256 // levels
    return image if step == 1 else image.point([value // step * 255 // (levels - 1) for value in range(256)])


def _png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format="PNG", optimize=True)
    return buffer.getvalue()
