"""Landmarks by the rule of the published pipeline, its flip and its edge cases included, for comparison with its data.

The corrected rule is in `ct_assets.bpr_json.landmarks`; facts of the published pipeline, defects D1 to D4, say what is
wrong with this one: a sanity flag is read as a direction, the flip is one off, nothing is interpolated, and landmarks
beyond the valid scores pile up on the last of them.
"""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from ct_assets.bpr_json.landmark import PUBLISHED_END, PUBLISHED_LOST, Landmark


def published_landmarks(
    scores: npt.NDArray[np.float64],
    valid_z_spacing: float,
    lookup: Mapping[str, float],
    instances: npt.NDArray[np.int64],
    heights_mm: npt.NDArray[np.float64],
) -> list[Landmark]:
    """Locate landmarks as the published pipeline did.

    The index of a landmark is the largest one whose score is below the look-up value, 0 if there is none. Where
    "valid z-spacing" is not above 0 (NaN is not), it becomes the number of slices minus the index. Index 0 and that of
    the last slice count as outside the scan. Index n is the n-th CT image by increasing position along its normal.

    Parameters
    ----------
    scores : ndarray of shape (slices,)
        Cleaned slice scores in bpreg's order, NaN where invalid.
    valid_z_spacing : float
        bpreg's flag: 0, 1 or NaN.
    lookup : mapping
        Look-up value of each landmark.
    instances : ndarray of shape (slices,)
        Slice of ct.nii.gz of each CT image, by increasing position along the normal.
    heights_mm : ndarray of shape (slices,)
        Height of each slice of ct.nii.gz.

    Returns
    -------
    list of Landmark
        One per landmark, by increasing look-up value; each lies at the height of its slice.
    """
    found = []
    for name, score in sorted(lookup.items(), key=lambda item: (item[1], item[0])):
        below = np.flatnonzero(scores < score)
        index = int(below[-1]) if len(below) else 0
        if not valid_z_spacing > 0:
            index = len(scores) - index
        if index in {0, len(scores) - 1}:
            found.append(Landmark(name, score, reason=PUBLISHED_END))
        elif index == len(scores):
            found.append(Landmark(name, score, reason=PUBLISHED_LOST))
        else:
            slice_index = int(instances[index])
            found.append(Landmark(name, score, float(heights_mm[slice_index]), slice_index))
    return found
