"""Volumes on the CT's grid: ct.nii.gz and label maps with the same affine."""

from pathlib import Path

import nibabel as nib
import numpy as np
import numpy.typing as npt

from ct_assets.store.atomic import atomic_path


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
    """
    image = nib.load(path)
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
    """
    image = nib.load(path)
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
    """
    return np.asarray(nib.load(path).dataobj).astype(np.uint8)


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
