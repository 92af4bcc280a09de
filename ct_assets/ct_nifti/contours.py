"""Contours of one slice to pixels.

A pixel is in if its centre is inside by the even-odd rule, or on an outline; a line that is drawn there and back, such
as the channel of a keyhole, is none. DICOM has no rule for pixels: it defines a contour as a polygon (PS3.3 C.8.8.6),
how several combine (C.8.8.6.3), and that inner contours may be joined to outer ones as a keyhole. Pixel centres are
what plastimatch tests too; of those on an outline it takes the ones to the left and above. Taking all makes the result
the same however the image is flipped, and gives back the label map from contours that run through the centres of its
outermost pixels, as several programs write them.

scikit-image tests centres against vertices at any fraction of a pixel, and tells which lie on the outline. Of the other
libraries at hand, Pillow rounds vertices to whole pixels, OpenCV adds each pixel that the outline touches, and
matplotlib decides centres on an outline by the direction in which it is drawn, which opens keyholes.
"""

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
from skimage.measure import grid_points_in_poly

Points = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

_DECIMALS = 3
"""Decimals of a pixel that vertices are rounded to, so that those meant to be on a pixel's centre are."""

_INSIDE = 1  # as grid_points_in_poly labels it: 0 outside, 1 inside, 2 on a vertex, 3 on an edge


def filled(contours: Iterable[Points], shape: tuple[int, int]) -> Mask:
    """Return the pixels of what contours enclose: holes, islands and keyholes included.

    Parameters
    ----------
    contours : iterable of ndarray, each of shape (points, 2)
        Row and column of the vertices in pixels; the centre of the first pixel is (0, 0). Each is closed from its last
        vertex to its first. What is outside the image is clipped.
    shape : tuple of int
        Rows and columns.

    Returns
    -------
    ndarray of bool, shape (rows, columns)
        Pixels inside an odd number of contours, or on the outline of one.
    """
    inside, outline = np.zeros(shape, dtype=np.bool_), np.zeros(shape, dtype=np.bool_)
    for contour in contours:
        vertices = np.round(contour, _DECIMALS)
        first = np.clip(np.ceil(vertices.min(axis=0)), 0, shape).astype(int)
        end = np.clip(np.floor(vertices.max(axis=0)) + 1, 0, shape).astype(int)
        if np.any(end <= first):
            continue
        window = tuple(slice(*bounds) for bounds in zip(first, end, strict=True))
        places = grid_points_in_poly(tuple(end - first), vertices - first, binarize=False)
        inside[window] ^= places == _INSIDE
        outline[window] |= places > _INSIDE
    return inside | outline
