"""An organ cut out of its segmentation: its voxels, whether the image cuts it off, whether it has a shape at all."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import nibabel as nib
import numpy as np
import numpy.typing as npt
from scipy.ndimage import label as components_of

from ct_assets.organ_seg.label_boxes import Box, label_boxes
from ct_assets.organs import Organ

ORGAN_MISSING = "no voxel has this label"
"""Reason of the null values of an organ that was not found."""

_MINIMUM_DIMENSIONS = 3
_NEIGHBOURS = np.ones((3, 3, 3), dtype=bool)
_SIDES = {"L": "left", "R": "right", "P": "posterior", "A": "anterior", "I": "inferior", "S": "superior"}
_OPPOSITE = {"L": "R", "R": "L", "P": "A", "A": "P", "I": "S", "S": "I"}


@dataclass(frozen=True)
class OrganMask:
    """An organ of a segmentation.

    ``voxels`` is its mask in its bounding box, shape (columns, rows, slices), empty where the organ was not found;
    ``at_border`` names the sides of the image that it touches, where it may be cut off; ``segmentation`` is the SHA-256
    of the file that it is from.
    """

    label: int
    organ: Organ
    voxels: npt.NDArray[np.bool_]
    at_border: tuple[str, ...]
    segmentation: str

    @cached_property
    def components(self) -> int:
        """Number of separate parts; voxels that touch by a corner are one, as in pyradiomics' VolumeNum."""
        return int(components_of(self.voxels, _NEIGHBOURS)[1]) if self.voxels.size else 0

    @property
    def refusal(self) -> str | None:
        """Why it has no shape, as pyradiomics refuses it with minimumROIDimensions 3; None where it has one."""
        extents = self.voxels.shape
        if not self.voxels.size:
            return ORGAN_MISSING
        if max(extents) == 1:
            return "organ is a single voxel, shape needs three dimensions"
        if sum(extent > 1 for extent in extents) < _MINIMUM_DIMENSIONS:
            return f"organ is flat ({' x '.join(map(str, extents))} voxels), shape needs three dimensions"
        return None


def organs_of_label_map(
    labels: npt.NDArray[np.uint8],
    wanted: Mapping[int, Organ],
    affine: npt.NDArray[np.float64],
    segmentation: str,
) -> list[OrganMask]:
    """Cut the organs out of a label map, each by its label.

    Parameters
    ----------
    labels : ndarray of uint8, shape (columns, rows, slices)
        Label map.
    wanted : mapping of int to Organ
        Label of each organ.
    affine : ndarray of shape (4, 4)
        Index to RAS, mm.
    segmentation : str
        SHA-256 of its file.
    """
    boxes = label_boxes(labels, max(wanted))
    return [
        _cut(labels, label, organ, boxes[label - 1], affine, segmentation) for label, organ in sorted(wanted.items())
    ]


def organ_of_mask(
    mask: npt.NDArray[np.bool_], label: int, organ: Organ, affine: npt.NDArray[np.float64], segmentation: str
) -> OrganMask:
    """Cut an organ out of a mask of its own.

    Parameters
    ----------
    mask : ndarray of bool, shape (columns, rows, slices)
        The mask.
    label : int
        Label that the organ has in label maps.
    organ : Organ
        The organ.
    affine : ndarray of shape (4, 4)
        Index to RAS, mm.
    segmentation : str
        SHA-256 of its file.
    """
    drawn = mask.view(np.uint8)
    return replace(_cut(drawn, 1, organ, label_boxes(drawn, 1)[0], affine, segmentation), label=label)


def _cut(
    labels: npt.NDArray[np.uint8],
    label: int,
    organ: Organ,
    box: Box | None,
    affine: npt.NDArray[np.float64],
    segmentation: str,
) -> OrganMask:
    if box is None:
        return OrganMask(label, organ, np.zeros((0, 0, 0), dtype=np.bool_), (), segmentation)
    return OrganMask(label, organ, labels[box] == label, _sides(box, labels.shape, affine), segmentation)


def _sides(box: Box, shape: tuple[int, ...], affine: npt.NDArray[np.float64]) -> tuple[str, ...]:
    """Name the sides of the image that a box touches, with the axes named as nibabel does, each direction once."""
    touched = []
    for part, length, towards in zip(box, shape, nib.aff2axcodes(affine), strict=True):
        touched += [_OPPOSITE[towards]] * (part.start == 0) + [towards] * (part.stop == length)
    return tuple(_SIDES[side] for side in _SIDES if side in touched)
