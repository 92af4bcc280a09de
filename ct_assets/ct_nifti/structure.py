"""What an expert drew of a structure, whatever kind of file it is from."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ct_assets.ct_nifti.record import CtRecord
from ct_assets.dicom.edition import ObjectReference

_LONGEST_QUOTE = 300

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


@contextmanager
def usable(path: Path, kind: str) -> Iterator[None]:
    """Turn what reading a file may raise into an error that names it.

    pydicom parses elements only when they are looked at, and damage makes it raise errors of many kinds, some of which
    have no base class but Exception. What an expert drew must not stop what the models make.

    Parameters
    ----------
    path : Path
        SEG or RTSTRUCT file.
    kind : str
        Which of them it should be.

    Raises
    ------
    UnusableSegmentationError
        For whatever is raised within.
    """
    try:
        yield
    except UnusableSegmentationError:
        raise
    except Exception as error:
        quoted = f"{type(error).__name__}: {error}"[:_LONGEST_QUOTE]  # it may hold all of a damaged value
        message = f"{path}: lacks something that every {kind} has, or is damaged ({quoted})"
        raise UnusableSegmentationError(message) from error
