"""How many voxels each label of a label map has."""

import numpy as np
import numpy.typing as npt


def count_labels(labels: npt.NDArray[np.uint8]) -> npt.NDArray[np.int64]:
    """Count the voxels of each label, a plane at a time: numpy would make eight bytes of every voxel.

    Parameters
    ----------
    labels : ndarray of uint8
        Label map.

    Returns
    -------
    ndarray of int64, shape (256,)
        Voxels by label.
    """
    planes = labels if labels.flags.c_contiguous else labels.T
    counts = np.zeros(256, dtype=np.int64)
    for plane in planes:
        counts += np.bincount(plane.ravel(), minlength=256)
    return counts
