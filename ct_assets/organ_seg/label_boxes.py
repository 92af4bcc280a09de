"""Bounding boxes of the labels of a label map."""

import numpy as np
import numpy.typing as npt
from scipy.ndimage import find_objects

Box = tuple[slice, ...]
"""Part of an image, a slice along each axis."""


def label_boxes(labels: npt.NDArray[np.uint8], largest: int) -> list[Box | None]:
    """Return the bounding box of every label; first that of all, by maxima, which take a tenth of scipy's time.

    Parameters
    ----------
    labels : ndarray of uint8, shape (columns, rows, slices)
        Label map, in any order of memory.
    largest : int
        Largest label that is looked for.

    Returns
    -------
    list
        Box of label 1 and on; none where a label has no voxel.
    """
    arranged = labels if labels.flags.c_contiguous else labels.T  # scipy is three times faster along memory
    outer = _outer_box(arranged)
    if outer is None:
        return [None] * largest
    boxes: list[Box | None] = []
    for inner in find_objects(arranged[outer], max_label=largest):
        if inner is None:
            boxes.append(None)
            continue
        box = [slice(o.start + i.start, o.start + i.stop) for o, i in zip(outer, inner, strict=True)]
        boxes.append(tuple(box if arranged is labels else box[::-1]))
    return boxes


def _outer_box(labels: npt.NDArray[np.uint8]) -> Box | None:
    box: list[slice] = []
    for axis in range(3):
        others = tuple(other for other in range(3) if other != axis)
        hit = np.flatnonzero(labels[tuple(box)].max(axis=others))
        if not hit.size:
            return None
        box.append(slice(int(hit[0]), int(hit[-1]) + 1))
    return tuple(box)
