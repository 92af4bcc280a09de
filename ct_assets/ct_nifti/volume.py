"""Volumes on the CT's grid: ct.nii.gz and label maps with the same affine."""

import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import nibabel as nib
import numpy as np
import numpy.typing as npt
from nibabel.filebasedimages import ImageFileError
from nibabel.spatialimages import HeaderDataError
from nibabel.wrapstruct import WrapStructError

from ct_assets.store.atomic import atomic_path

_CHUNK = 1 << 20


class DamagedVolumeError(ValueError):
    """A volume that cannot be read; the message names the file and the remedy."""


def load_volume(path: Path) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float64]]:
    """Read a NIfTI volume.

    Parameters
    ----------
    path : Path
        NIfTI file.

    Returns
    -------
    volume : ndarray of float32, shape (columns, rows, slices)
        HU for a CT.
    affine : ndarray of shape (4, 4)
        Index to RAS, mm.

    Raises
    ------
    FileNotFoundError, DamagedVolumeError
        If it has not been materialized, or is damaged.
    """
    with _opened(path, "ct_nifti") as image:
        return np.asarray(image.dataobj, dtype=np.float32), np.asarray(image.affine, dtype=np.float64)


def load_scan(path: Path) -> tuple[npt.NDArray[np.int16] | npt.NDArray[np.float32], npt.NDArray[np.float64]]:
    """Read a CT with the numbers that the file has: 16 bits where they are stored in 16 bits, float32 otherwise.

    Parameters
    ----------
    path : Path
        NIfTI file.

    Returns
    -------
    volume : ndarray of int16 or float32, shape (columns, rows, slices)
        HU.
    affine : ndarray of shape (4, 4)
        Index to RAS, mm.

    Raises
    ------
    FileNotFoundError, DamagedVolumeError
        If it has not been materialized, or is damaged.
    """
    with _opened(path, "ct_nifti") as image:
        whole = image.get_data_dtype() == np.int16 and (image.dataobj.slope, image.dataobj.inter) == (1, 0)
        volume = np.asanyarray(image.dataobj) if whole else np.asarray(image.dataobj, dtype=np.float32)
        return volume, np.asarray(image.affine, dtype=np.float64)


def load_spacing(path: Path) -> tuple[float, float, float]:
    """Read the voxel size that a NIfTI file states, which other programs go by, digit for digit.

    Parameters
    ----------
    path : Path
        NIfTI file.

    Returns
    -------
    tuple of float
        Of columns, rows and slices, mm.
    """
    first, second, third = (float(zoom) for zoom in nib.load(path).header.get_zooms()[:3])
    return first, second, third


def load_label_map(path: Path) -> npt.NDArray[np.uint8]:
    """Read a label map.

    Parameters
    ----------
    path : Path
        NIfTI file of integers.

    Returns
    -------
    ndarray of uint8, shape (columns, rows, slices)
        Labels.

    Raises
    ------
    FileNotFoundError, DamagedVolumeError
        If it has not been materialized, or is damaged.
    """
    with _opened(path, "organ_seg") as image:
        return np.asarray(image.dataobj).astype(np.uint8)


def save_label_map(labels: npt.NDArray[np.uint8], reference: Path, target: Path) -> None:
    """Write a label map with exactly the geometry of another NIfTI file, atomically.

    Parameters
    ----------
    labels : ndarray of uint8, shape (columns, rows, slices)
        Labels.
    reference : Path
        NIfTI file whose header gives the geometry.
    target : Path
        File to write.

    Raises
    ------
    ValueError
        If the shape differs from the reference's.
    """
    source = nib.load(reference)
    if labels.shape != source.shape:
        message = f"label map of shape {labels.shape} does not fit {reference.name} of shape {source.shape}"
        raise ValueError(message)
    image = nib.Nifti1Image(labels, source.affine, source.header)
    image.header.set_data_dtype(np.uint8)
    image.header.set_slope_inter(1, 0)
    image.header["cal_min"], image.header["cal_max"] = 0, 0
    image.header["descrip"] = b"ct-assets label map"
    with atomic_path(target) as temporary:
        nib.save(image, temporary)


@contextmanager
def _opened(path: Path, asset: str) -> Iterator[nib.Nifti1Image]:
    """Open a NIfTI file, compressed or not; what was read of it is compared with its checksum when the block ends."""
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as stream:
            yield nib.Nifti1Image.from_stream(stream)
            while stream.read(_CHUNK):  # the checksum is behind the voxels
                pass
    except FileNotFoundError as error:
        message = f"{path} is missing; materialize {asset} for this series first"
        raise FileNotFoundError(message) from error
    except (OSError, EOFError, ValueError, zlib.error, ImageFileError, HeaderDataError, WrapStructError) as error:
        message = f"{path} is damaged ({error}); materialize {asset} for this series again"
        raise DamagedVolumeError(message) from error
