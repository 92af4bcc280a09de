"""What an expert drew of a structure, whatever kind of file it is from."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ct_assets.ct_nifti.record import CtRecord
from ct_assets.dicom.edition import ObjectReference

Mask = npt.NDArray[np.bool_]


class UnusableSegmentationError(ValueError):
    """A SEG or RTSTRUCT that cannot be read onto the grid of a CT; the message names the file and the reason."""


@dataclass(frozen=True)
class ExpertStructure:
    """What an expert drew of a structure: a mask, shape (columns, rows, slices), and where it is from.

    ``source`` is the SEG or RTSTRUCT, and ``digest`` the SHA-256 of its file. ``segments`` are the SegmentNumbers that
    the structure is in, if it is from a SEG; ``rois`` the ROINumbers, if it is from an RTSTRUCT.
    """

    mask: Mask
    source: ObjectReference
    digest: str
    segments: tuple[int, ...] = ()
    rois: tuple[int, ...] = ()


def no_frames(record: CtRecord) -> Mask:
    """Return an empty mask in DICOM's arrangement, shape (slices, rows, columns).

    Parameters
    ----------
    record : CtRecord
        ct.json of a fit series.
    """
    assert record.shape is not None
    return np.zeros(record.shape[::-1], dtype=np.bool_)
