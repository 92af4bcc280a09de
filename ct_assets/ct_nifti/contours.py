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

_BAND = 16
"""Columns that are filled at a time."""

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
        for start in range(first[1], end[1], _BAND):
            stop = min(start + _BAND, end[1])
            window = slice(first[0], end[0]), slice(start, stop)
            beside = _beside(vertices, start, stop)
            places = grid_points_in_poly((end[0] - first[0], stop - start), beside - (first[0], start), binarize=False)
            inside[window] ^= places == _INSIDE
            outline[window] |= places > _INSIDE
    return inside | outline


def effort(contour: Points, shape: tuple[int, int]) -> int:
    """Return about how many vertices `filled` compares with pixels, counted for each pixel.

    Parameters
    ----------
    contour : ndarray of shape (points, 2)
        Row and column of the vertices in pixels.
    shape : tuple of int
        Rows and columns.
    """
    rows, columns = np.clip(contour, 0, shape).T
    bands = columns // _BAND
    crossed = np.abs(np.diff(bands, append=bands[:1])) + 1
    return int(crossed.sum() * _BAND * (np.ptp(rows) + 1))


def _beside(vertices: Points, start: int, stop: int) -> Points:
    """Leave out vertices that make no difference between two columns.

    scikit-image compares every pixel with every vertex, and asks which sides lie on the pixel or cross its row towards
    higher rows. Of successive vertices on one side of the columns only the first and the last count.
    """
    columns = vertices[:, 1]
    side = (columns > stop - 1).astype(np.int8) - (columns < start)
    needed = (side == 0) | (side != np.roll(side, 1)) | (side != np.roll(side, -1))
    return np.asarray(vertices[needed])
