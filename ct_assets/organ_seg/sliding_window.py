"""The sliding window of nnU-Net v1: tiles that overlap by half, weighted by a Gaussian, mirrored, of all folds."""

import functools
import itertools
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import numpy.typing as npt

from ct_assets.device import MEMORY_REMEDY, GpuMemoryError, out_of_memory
from ct_assets.organ_seg.plans import Plans
from ct_assets.organ_seg.unsuitable import NotFiniteError

if TYPE_CHECKING:
    import torch

logger = logging.getLogger(__name__)

SIGMA = 1 / 8
"""Deviation of the Gaussian as a fraction of the patch."""

_TELL_SECONDS = 15.0

_Item = TypeVar("_Item")

_Place = tuple[slice | int, ...]

Forward = Callable[["torch.Tensor"], "torch.Tensor"]
"""A fold: images of (batch, 1, *patch) to logits of (batch, classes, *patch)."""


@dataclass
class Probabilities:
    """Class probabilities on the grid of the network, not yet divided by the weights of the tiles.

    Parameters
    ----------
    sums : Tensor of float32, shape (classes, slices, rows, columns)
        Weighted sums over tiles, mirrors and folds.
    weights : Tensor of float32, shape (slices, rows, columns) or (rows, columns)
        What to divide by.
    """

    sums: "torch.Tensor"
    weights: "torch.Tensor"


@dataclass
class SlidingWindow:
    """Predicts a whole volume tile by tile.

    Parameters
    ----------
    plans : Plans
        Plans of the model.
    folds : sequence of callable
        The networks.
    device : str
        cpu or cuda.
    tta : bool
        Average over mirrored inputs.
    step_size : float
        Step of the window as a fraction of the patch.
    mixed : bool
        Half precision where it does no harm (torch's autocast); on CUDA only.
    batch : int
        Tiles and mirrors that are predicted at once; fewer for the rest of a volume whose memory does not suffice.
    """

    plans: Plans
    folds: Sequence[Forward]
    device: str
    tta: bool
    step_size: float
    mixed: bool
    batch: int
    _fitting: int = field(init=False, default=0)

    def predict(self, data: "torch.Tensor") -> Probabilities:
        """Predict a volume.

        Parameters
        ----------
        data : Tensor of float32, shape (slices, rows, columns)
            Normalized.

        Returns
        -------
        Probabilities
            On the shape of the volume.

        Raises
        ------
        GpuMemoryError
            If the GPU cannot hold a single tile.
        NotFiniteError
            If the networks give something that is no number.
        """
        import torch

        # Each volume anew: another batch rounds otherwise, and what others left of the GPU once says nothing of now.
        self._fitting = self.batch
        patch = self.plans.patch_size
        padded, inside = _pad(data, patch)
        steps = [
            tile_starts(size, side, self.step_size)
            for size, side in zip(padded.shape[-len(patch) :], patch, strict=True)
        ]
        starts = list(itertools.product(*steps))
        window = torch.from_numpy(gaussian(patch)).to(self.device) if len(starts) > 1 else None
        shape = (self.plans.classes, *padded.shape)
        # As nnU-Net: the same numbers every time. TensorFloat-32, torch's default, would be less than float32.
        with torch.inference_mode(), torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=False):
            sums = self._zeros(shape)
            try:
                self._predict_tiles(padded, starts, window, sums)
            except GpuMemoryError:
                if not sums.is_cuda:
                    raise
                logger.warning("the GPU has no room beside the class probabilities; they are kept in memory")
                sums = torch.zeros(shape)
                torch.cuda.empty_cache()
                self._predict_tiles(padded, starts, window, sums)
            weights = torch.zeros(padded.shape[-len(patch) :], device=sums.device)
            of_tile = 1 if window is None else window.to(sums.device)
            for start in starts:
                weights[_tile(start, patch)] += of_tile
            weights *= len(self.folds)
            if not bool(torch.isfinite(sums.sum())):
                message = "the network gives values that are not finite" + (
                    "; half precision may not suffice for it: choose `precision: float32`" if self.mixed else ""
                )
                raise NotFiniteError(message)
        return Probabilities(sums[(slice(None), *inside)], weights[inside[-len(patch) :]])

    def _zeros(self, shape: tuple[int, ...]) -> "torch.Tensor":
        """Return zeros on the device, or in memory if the GPU has no room for them."""
        import torch

        try:
            return torch.zeros(shape, device=self.device)
        except torch.OutOfMemoryError:
            logger.warning("the GPU has no room for class probabilities of shape %s; they are kept in memory", shape)
            torch.cuda.empty_cache()
            return torch.zeros(shape)

    def _predict_tiles(
        self,
        data: "torch.Tensor",
        starts: list[tuple[int, ...]],
        window: "torch.Tensor | None",
        sums: "torch.Tensor",
    ) -> None:
        """Add up all tiles; a 2d model has the same tiles in every slice, so slices and tiles are batched together."""
        patch = self.plans.patch_size
        mirrors = mirrored_axes(len(patch)) if self.tta else mirrored_axes(0)
        tiles: list[_Place] = [_tile(start, patch) for start in starts]
        places = [(plane, *tile) for plane in range(data.shape[0]) for tile in tiles] if self.plans.flat else tiles
        size, told = max(1, self._fitting // len(mirrors)), time.monotonic()
        for done, chosen in enumerate(_batches(places, size)):
            if time.monotonic() - told > _TELL_SECONDS:
                told = time.monotonic()
                logger.info("%d of %d tiles are predicted", done * size, len(places))
            result = self._average(_stacked([data[place] for place in chosen]), mirrors)
            if window is not None:
                result *= window
            result = result.to(sums.device)
            for place, tile_result in zip(chosen, result, strict=True):
                sums[(slice(None), *place)] += tile_result

    def _average(self, tiles: "torch.Tensor", mirrors: list[tuple[int, ...]]) -> "torch.Tensor":
        """Return the mean over mirrors and the sum over folds of class probabilities, of shape (tiles, classes, …)."""
        import torch

        flips = [[axis + 2 for axis in mirror] for mirror in mirrors]
        images = torch.cat([torch.flip(tiles[:, None], flip) for flip in flips])
        total = torch.zeros((len(tiles), self.plans.classes, *tiles.shape[1:]), device=self.device)
        for forward in self.folds:
            of_mirrors = self._probabilities(forward, images).split(len(tiles))  # type: ignore[no-untyped-call]
            for flip, probabilities in zip(flips, of_mirrors, strict=True):
                total.add_(torch.flip(probabilities, flip), alpha=1 / len(flips))
        return total

    def _probabilities(self, forward: Forward, images: "torch.Tensor") -> "torch.Tensor":
        """Predict in batches, smaller and smaller ones if the memory of the GPU does not suffice."""
        import torch

        results: list[torch.Tensor] = []
        done = 0
        while done < len(images):
            chosen = images[done : done + self._fitting]
            lacking: RuntimeError | None = None
            try:
                with torch.autocast(self.device, enabled=self.mixed):
                    logits = forward(chosen)
                results.append(torch.softmax(logits.float(), dim=1))
                done += len(chosen)
                del logits
            except RuntimeError as error:
                if not out_of_memory(error):
                    raise
                lacking = error.with_traceback(None)  # which holds on to what is on the GPU
            if lacking is not None:
                self._smaller_batch(len(chosen), lacking)
        return results[0] if len(results) == 1 else torch.cat(results)

    def _smaller_batch(self, size: int, error: Exception) -> None:
        import torch

        if size == 1:
            message = f"the GPU has too little memory for one patch of {self.plans.patch_size} voxels; {MEMORY_REMEDY}"
            raise GpuMemoryError(message) from error
        self._fitting = size // 2
        logger.warning("the memory of the GPU does not suffice; going on with batches of %d", self._fitting)
        torch.cuda.empty_cache()


def tile_starts(size: int, side: int, step_size: float) -> list[int]:
    """Return where the tiles of an axis start: evenly spread, at most a step apart, from one end to the other.

    Parameters
    ----------
    size : int
        Voxels of the axis, at least `side`.
    side : int
        Voxels of the patch.
    step_size : float
        Step as a fraction of the patch.
    """
    count = int(np.ceil((size - side) / (side * step_size))) + 1
    actual = (size - side) / (count - 1) if count > 1 else 0.0
    return [int(np.round(actual * index)) for index in range(count)]


@functools.lru_cache(maxsize=8)
def gaussian(patch: tuple[int, ...]) -> npt.NDArray[np.float32]:
    """Return the weights of a tile's voxels: 1 at its centre, never 0.

    Parameters
    ----------
    patch : tuple of int
        Shape of the tile.
    """
    from scipy.ndimage import gaussian_filter

    impulse = np.zeros(patch)
    impulse[tuple(side // 2 for side in patch)] = 1
    smooth = gaussian_filter(impulse, [side * SIGMA for side in patch], mode="constant", cval=0)
    weights: npt.NDArray[np.float32] = (smooth / smooth.max()).astype(np.float32)
    weights[weights == 0] = weights[weights != 0].min()
    return weights


def mirrored_axes(axes: int) -> list[tuple[int, ...]]:
    """Return every set of axes to mirror, the empty one first."""
    return [chosen for count in range(axes + 1) for chosen in itertools.combinations(range(axes), count)]


def _stacked(parts: list["torch.Tensor"]) -> "torch.Tensor":
    """Return tiles as one batch; a single one is not copied."""
    import torch

    return parts[0][None] if len(parts) == 1 else torch.stack(parts)


def _tile(start: tuple[int, ...], patch: tuple[int, ...]) -> tuple[slice, ...]:
    return tuple(slice(first, first + side) for first, side in zip(start, patch, strict=True))


def _batches(items: Sequence[_Item], size: int) -> Iterator[Sequence[_Item]]:
    for first in range(0, len(items), size):
        yield items[first : first + size]


def _pad(data: "torch.Tensor", patch: tuple[int, ...]) -> tuple["torch.Tensor", tuple[slice, ...]]:
    """Put zeros around what is smaller than a patch; also return where the data is then."""
    import torch

    missing = [max(0, side - size) for side, size in zip(patch, data.shape[-len(patch) :], strict=True)]
    missing = [0] * (data.ndim - len(patch)) + missing
    inside = tuple(slice(gap // 2, gap // 2 + size) for gap, size in zip(missing, data.shape, strict=True))
    if not any(missing):
        return data, inside
    padded = torch.zeros([size + gap for size, gap in zip(data.shape, missing, strict=True)], device=data.device)
    padded[inside] = data
    return padded, inside
