"""From class probabilities on the grid of the network to labels on the grid of the CT, a block of slices at a time.

nnU-Net resamples the probabilities of every class to the whole CT and takes the largest. Where interpolation is linear,
or takes the nearest, a voxel whose neighbours are all background is background: only the box of the others is
resampled, in blocks, so that no more than a block of probabilities exists at full resolution.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ct_assets.organ_seg.plans import Plans
from ct_assets.organ_seg.preprocess import Grid
from ct_assets.organ_seg.resample import Resampling, resample, separate_axis
from ct_assets.organ_seg.sliding_window import Probabilities

if TYPE_CHECKING:
    import torch

_BLOCK = 8
"""Slices of the CT that are resampled at once."""


def export(probabilities: Probabilities, grid: Grid, plans: Plans) -> npt.NDArray[np.uint8]:
    """Label every voxel of the CT.

    Parameters
    ----------
    probabilities : Probabilities
        From the sliding window; its sums are divided in place.
    grid : Grid
        Where the array of the network lies in the CT.
    plans : Plans
        Plans of the model.

    Returns
    -------
    ndarray of uint8, shape `grid.shape`
        Labels, slices first; 0 is the background.
    """
    import torch

    labels = np.zeros(grid.shape, dtype=np.uint8)
    orders = plans.export
    # nnU-Net looks at the spacing of the network without transposing it back, and so do we.
    separate = separate_axis(grid.spacing_mm, grid.network_spacing_mm, force=orders.force_separate_z)
    how = Resampling(grid.cropped_shape, orders.interpolation_order, separate, orders.interpolation_order_z)
    with torch.inference_mode():
        sums = probabilities.sums.div_(probabilities.weights)
        sums = sums.permute(0, *(axis + 1 for axis in plans.transpose_backward))
        if max(how.order, how.order_z) > 1:
            labels[grid.box] = _whole(sums, how)
        else:
            _boxed(sums, how, labels[grid.box])
    return labels


def _whole(sums: "torch.Tensor", how: Resampling) -> npt.NDArray[np.uint8]:
    """Label by splines of a higher order, which reach everywhere: one class after the other."""
    return _largest(resample(probability, how) for probability in sums)


def _boxed(sums: "torch.Tensor", how: Resampling, labels: npt.NDArray[np.uint8]) -> None:
    """Write the labels of all that is not background."""
    hits = _foreground(sums)
    if hits is None:
        return
    first, second, third = (_Axis.of(how, axis, sums.device, hit) for axis, hit in enumerate(hits))
    if first is None or second is None or third is None:
        return
    part = sums[:, :, second.inputs, third.inputs]
    for start in range(first.outputs.start, first.outputs.stop, _BLOCK):
        stop = min(start + _BLOCK, first.outputs.stop)
        block = first.mix(part, start, stop)
        block = second.along_rows(block)
        block = third.along_columns(block)
        labels[start:stop, second.outputs, third.outputs] = _largest(block)


def _foreground(sums: "torch.Tensor") -> list[npt.NDArray[np.bool_]] | None:
    """Tell for every axis where anything but the background is most probable; None if nowhere."""
    import torch

    size = sums.shape[1:]
    planes = torch.zeros(size[0], dtype=torch.bool, device=sums.device)
    image = torch.zeros(size[1:], dtype=torch.bool, device=sums.device)
    for index in range(size[0]):
        found = sums[1:, index].amax(0) > sums[0, index]
        planes[index] = found.any()
        image |= found
    if not bool(planes.any()):
        return None
    return [line.cpu().numpy() for line in (planes, image.any(1), image.any(0))]


def _largest(probabilities: Iterable["torch.Tensor"]) -> npt.NDArray[np.uint8]:
    """Return the class of the largest probability, the first of equal ones; twice as fast as argmax on a CPU."""
    import torch

    classes = iter(probabilities)
    best = next(classes).clone()
    labels = torch.zeros(best.shape, dtype=torch.uint8, device=best.device)
    for label, probability in enumerate(classes, start=1):
        labels.masked_fill_(probability > best, label)
        torch.maximum(best, probability, out=best)
    return labels.cpu().numpy()


@dataclass(frozen=True)
class _Axis:
    """What of an axis is resampled: `weights` takes `inputs` to `outputs`; None where the axis stays as it is."""

    inputs: slice
    outputs: slice
    weights: "torch.Tensor | None"

    @classmethod
    def of(cls, how: Resampling, axis: int, device: "torch.device", hit: npt.NDArray[np.bool_]) -> "_Axis | None":
        """Find the voxels of the CT that have a neighbour other than background, and all neighbours of those.

        None if there are none: where the CT is coarser than the network, some of its voxels are nobody's neighbours.
        """
        import torch

        matrix = how.weights(len(hit), axis)
        if matrix is None:
            span = _span(hit)
            return cls(span, span, None)
        touched = (matrix[:, hit] != 0).any(axis=1)
        if not touched.any():
            return None
        outputs = _span(touched)
        inputs = _span((matrix[outputs] != 0).any(axis=0))
        return cls(inputs, outputs, torch.from_numpy(matrix[outputs, inputs]).to(device, torch.float32))

    def mix(self, part: "torch.Tensor", start: int, stop: int) -> "torch.Tensor":
        """Return slices `start` to `stop` of the CT: of shape (classes, slices, rows, columns)."""
        if self.weights is None:
            return part[:, start:stop]
        rows = self.weights[start - self.outputs.start : stop - self.outputs.start]
        used = _span((rows != 0).any(0).cpu().numpy())
        chosen = part[:, self.inputs.start + used.start : self.inputs.start + used.stop]
        mixed = rows[:, used] @ chosen.reshape(*chosen.shape[:2], -1)
        return mixed.reshape(chosen.shape[0], stop - start, *chosen.shape[2:])

    def along_rows(self, block: "torch.Tensor") -> "torch.Tensor":
        """Resample the rows of a block."""
        return block if self.weights is None else self.weights @ block

    def along_columns(self, block: "torch.Tensor") -> "torch.Tensor":
        """Resample the columns of a block."""
        return block if self.weights is None else block @ self.weights.T


def _span(hit: npt.NDArray[np.bool_]) -> slice:
    places = np.flatnonzero(hit)
    return slice(int(places[0]), int(places[-1]) + 1)
