"""Landmarks and regions of one series as tables."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from ct_assets.bpr_json.landmark import Landmark
from ct_assets.ct_nifti.record import CtRecord
from ct_assets.dicom.codes import landmark_codes, region_codes
from ct_assets.store.tables import LANDMARKS, REGIONS


def landmark_table(
    landmarks: Sequence[Landmark], record: CtRecord, heights_mm: npt.NDArray[np.float64]
) -> pd.DataFrame:
    """Return landmarks as rows of the table LANDMARKS, in the order given.

    Parameters
    ----------
    landmarks : sequence of Landmark
        Landmarks.
    record : CtRecord
        ct.json of the series.
    heights_mm : ndarray of shape (slices,)
        Height of each slice along the slice axis, to which the heights of the landmarks refer.
    """
    rising = np.argsort(heights_mm)
    heights, positions = heights_mm[rising], record.positions_mm[rising]
    rows = []
    for landmark in landmarks:
        height, index = landmark.height_mm, landmark.slice_index
        rows.append(
            {
                "SeriesInstanceUID": record.series_instance_uid,
                "landmark": landmark.name,
                "code": landmark_codes()[landmark.name].site.value,
                "score": landmark.score,
                "located": index is not None,
                "position_mm": None if height is None else float(np.interp(height, heights, positions)),
                "slice_index": index,
                "SOPInstanceUID": None if index is None else record.slices[index].sop_instance_uid,
                "reason": landmark.reason,
            }
        )
    frame = pd.DataFrame(rows, columns=list(LANDMARKS.columns))
    return frame.astype({"slice_index": "Int64", "position_mm": "float64", "score": "float64"})


def region_table(slice_regions: Sequence[Sequence[str]], record: CtRecord) -> pd.DataFrame:
    """Return regions as rows of the table REGIONS, from the feet up; a region without slices has no row.

    Parameters
    ----------
    slice_regions : sequence of sequence of str
        Regions of each slice of ct.nii.gz.
    record : CtRecord
        ct.json of the series.
    """
    with_region = sum(bool(names) for names in slice_regions)
    rows = []
    for name, code in region_codes().items():
        indices = [index for index, names in enumerate(slice_regions) if name in names]
        if indices:
            share = len(indices) / with_region
            place = (indices[0], indices[-1], len(indices), share)
            rows.append((record.series_instance_uid, name, code.site.value, *place))
    return pd.DataFrame(rows, columns=list(REGIONS.columns))
