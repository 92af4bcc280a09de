"""The canvas: a scan grid with its CT numbers and labels, and the few shapes that are painted on it."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.interpolate import CubicSpline

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ct_assets.demo.anatomy import Patient

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]
Block = tuple[slice, slice, slice]


@dataclass(frozen=True)
class Grid:
    """An axial scan grid in the DICOM patient frame (LPS); index order is slice, row, column."""

    shape: tuple[int, int, int]
    """Slices (from the feet to the head), rows, columns."""
    spacing: tuple[float, float, float]
    """Distance between slices, rows and columns in mm."""
    origin: tuple[float, float, float]
    """x, y, z of the centre of the first voxel in mm."""

    @property
    def affine(self) -> NDArray[np.float64]:
        """Matrix (4, 4) from (slice, row, column, 1) to (x, y, z, 1) in mm."""
        matrix = np.zeros((4, 4))
        matrix[2, 0], matrix[1, 1], matrix[0, 2] = self.spacing
        matrix[:3, 3] = self.origin
        matrix[3, 3] = 1.0
        return matrix

    @property
    def z(self) -> NDArray[np.float64]:
        """Position of every slice in mm."""
        return np.asarray(self.origin[2] + self.spacing[0] * np.arange(self.shape[0]), np.float64)


@dataclass
class Canvas:
    """Volumes being painted, and the patient's own coordinates of their voxels."""

    grid: Grid
    patient: Patient
    hu: Floats = field(init=False)
    labels: NDArray[np.uint8] = field(init=False)
    lungs: Mask = field(init=False)
    z: Floats = field(init=False)
    """Height of every slice above the carina in mm."""

    def __post_init__(self) -> None:
        """Fill the volumes with air and compute the patient's coordinates."""
        self.hu = np.full(self.grid.shape, -1000.0, np.float32)
        self.labels = np.zeros(self.grid.shape, np.uint8)
        self.lungs = np.zeros(self.grid.shape, bool)
        self.z = (self.grid.z - self.patient.table_z).astype(np.float32)
        _, rows, columns = self.grid.shape
        x = self.grid.origin[0] + self.grid.spacing[2] * np.arange(columns) - self.patient.shift[0]
        y = self.grid.origin[1] + self.grid.spacing[1] * np.arange(rows) - self.patient.shift[1]
        angle = np.deg2rad(self.patient.rotation)
        self._x = (np.cos(angle) * x[None, :] + np.sin(angle) * y[:, None]).astype(np.float32)
        self._y = (-np.sin(angle) * x[None, :] + np.cos(angle) * y[:, None]).astype(np.float32)

    def coordinates(self, block: Block) -> tuple[Floats, Floats, Floats]:
        """Give x, y (slices, rows, columns) and z (slices, 1, 1) in the patient frame in mm for a block of voxels."""
        z = self.z[block[0], None, None]
        plane = block[1:]
        return self._x[plane] - self.patient.lean[0] * z, self._y[plane] - self.patient.lean[1] * z, z

    def slices(self, low: float = -np.inf, high: float = np.inf) -> Iterator[tuple[int, float, Floats, Floats]]:
        """Iterate over the slices between two heights in mm: index, height, x and y (rows, columns)."""
        for index in np.flatnonzero((self.z >= low) & (self.z <= high)):
            x, y, _ = self.coordinates((slice(index, index + 1), slice(None), slice(None)))
            yield int(index), float(self.z[index]), x[0], y[0]

    def block(self, low: ArrayLike, high: ArrayLike) -> Block | None:
        """Give the block of voxels around a box in the patient frame, corners in mm; None outside the grid."""
        corners = np.array([low, high], dtype=float)
        points = np.stack(np.meshgrid(*corners.T, indexing="ij"), -1).reshape(-1, 3)
        x, y = (points[:, i] + self.patient.lean[i] * points[:, 2] for i in (0, 1))
        angle = np.deg2rad(self.patient.rotation)
        scanner = np.stack(
            [
                points[:, 2] + self.patient.table_z,
                np.sin(angle) * x + np.cos(angle) * y + self.patient.shift[1],
                np.cos(angle) * x - np.sin(angle) * y + self.patient.shift[0],
            ]
        )
        index = (scanner - np.array(self.grid.origin[::-1])[:, None]) / np.array(self.grid.spacing)[:, None]
        start = np.maximum(np.floor(index.min(1)).astype(int), 0)
        stop = np.minimum(np.ceil(index.max(1)).astype(int) + 1, self.grid.shape)
        if np.any(start >= stop):
            return None
        return slice(start[0], stop[0]), slice(start[1], stop[1]), slice(start[2], stop[2])

    def paint(self, block: Block, mask: Mask, hu: float | Floats, label: int = 0) -> None:
        """Set CT number (HU) and label where the mask, of the block's shape, is true; it is no lung any more."""
        np.copyto(self.hu[block], np.asarray(hu, np.float32), where=mask)
        self.labels[block][mask] = label
        self.lungs[block][mask] = False

    def ellipsoid(
        self, centre: ArrayLike, radii: ArrayLike, hu: float, *, label: int = 0, axes: ArrayLike | None = None
    ) -> None:
        """Paint an ellipsoid; the rows of `axes` are the directions of its radii."""
        c, r = np.asarray(centre, float), np.asarray(radii, float)
        rows = np.eye(3) if axes is None else np.asarray(axes, float)
        reach = np.sqrt(((rows * r[:, None]) ** 2).sum(0))
        block = self.block(c - reach, c + reach)
        if block is None:
            return
        offsets = [p - q for p, q in zip(self.coordinates(block), c, strict=True)]
        value = sum(
            (sum(float(a) * o for a, o in zip(row, offsets, strict=True)) / length) ** 2
            for row, length in zip(rows, r, strict=True)
        )
        self.paint(block, np.asarray(value) <= 1.0, hu, label)

    def tube(
        self,
        points: ArrayLike,
        radii: ArrayLike,
        hu: float,
        *,
        label: int = 0,
        within: Mask | None = None,
        keep_lung: bool = False,
    ) -> None:
        """Paint a chain of tapering capsules through points (n, 3), radii (n,), where `within` (whole grid) is true."""
        path = np.asarray(points, float)
        radius = np.broadcast_to(np.asarray(radii, float), path.shape[:1])
        for (a, b), (ra, rb) in zip(pairwise(path), pairwise(radius), strict=True):
            margin = max(ra, rb)
            block = self.block(np.minimum(a, b) - margin, np.maximum(a, b) + margin)
            if block is None:
                continue
            offsets = [p - float(q) for p, q in zip(self.coordinates(block), a, strict=True)]
            axis = b - a
            along = sum(o * float(d) for o, d in zip(offsets, axis, strict=True)) / float(axis @ axis)
            along = np.clip(along, 0.0, 1.0)
            distance = sum((o - along * float(d)) ** 2 for o, d in zip(offsets, axis, strict=True))
            mask: Mask = np.asarray(distance <= (ra + along * (rb - ra)) ** 2)
            if within is not None:
                mask &= within[block]
            if keep_lung:
                self.hu[block][mask] = hu
            else:
                self.paint(block, mask, hu, label)


def smooth_path(points: ArrayLike, step: float = 7.0) -> NDArray[np.float64]:
    """Sample a cubic spline through control points (n, 3) about every `step` mm; gives (m, 3)."""
    control = np.asarray(points, float)
    length = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(control, axis=0), axis=1))])
    count = max(2, round(length[-1] / step) + 1)
    return np.asarray(CubicSpline(length, control)(np.linspace(0.0, length[-1], count)))
