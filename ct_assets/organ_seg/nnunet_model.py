"""An nnU-Net v1 model, loaded once: plans and weights read safely, prediction equal to nnUNet_predict's."""

import importlib.metadata
import logging
import math
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ct_assets.device import in_gpu_memory, out_of_memory, use_cuda
from ct_assets.organ_seg.checkpoint import read_plans, read_weights
from ct_assets.organ_seg.export import export
from ct_assets.organ_seg.network import load_network, logits
from ct_assets.organ_seg.plans import Spacing
from ct_assets.organ_seg.postprocess import FILE, postprocess, read_postprocessing
from ct_assets.organ_seg.prediction import Prediction
from ct_assets.organ_seg.preprocess import Grid, finite_voxels, plan_grid, preprocess
from ct_assets.organ_seg.sliding_window import Forward, SlidingWindow
from ct_assets.organs import ORGANS
from ct_assets.provenance import ModelFormatError
from ct_assets.quiet import quiet
from ct_assets.stopwatch import Stopwatch
from ct_assets.store.digest import combined_digest, file_digest
from resources.model_files import CHECKPOINT, fold_checkpoints

logger = logging.getLogger(__name__)

_VOXELS = {"cpu": 1 << 17, "cuda": 1 << 23}
"""Voxels that are predicted at once: on a CPU what its caches hold, on a GPU what keeps it busy."""


class NnunetModel:
    """One configuration with its folds in memory.

    Parameters
    ----------
    folder : Path or str
        Trainer folder that holds plans.pkl and fold_N.
    folds : tuple of int, optional
        Folds to average; none: all there are.
    tta : bool
        Average over mirrored inputs.
    step_size : float
        Sliding window step as a fraction of the patch.
    precision : str
        mixed: half precision on CUDA, as nnUNet_predict; float32.
    device : str
        auto, cpu or cuda.

    Raises
    ------
    ModelFormatError
        If a file is missing, or is not what nnU-Net v1 writes.
    UnsafePickleError
        If a file of the model holds anything but numbers and names.
    """

    def __init__(
        self,
        folder: Path | str,
        folds: tuple[int, ...] | None,
        *,
        tta: bool,
        step_size: float,
        precision: str,
        device: str,
    ) -> None:
        folder = Path(folder)
        self._name = str(folder)
        started = time.monotonic()
        self._device = "cuda" if use_cuda(device) else "cpu"
        self.folds = _folds(folder, folds)
        files = [folder / f"fold_{fold}" / CHECKPOINT for fold in self.folds]
        self.weights_digest = _weights_digest(folder, files)
        self._plans = read_plans(files[0])
        if self._plans.classes > len(ORGANS) + 1:
            message = (
                f"{folder}: has {self._plans.classes - 1} labels, not the {len(ORGANS)} organs {list(ORGANS.values())}"
            )
            raise ModelFormatError(message)
        self._postprocessing = read_postprocessing(folder)
        self._window = SlidingWindow(
            plans=self._plans,
            folds=in_gpu_memory(lambda: [self._network(path) for path in files], self._name),
            device=self._device,
            tta=tta,
            step_size=step_size,
            mixed=precision == "mixed" and self._device == "cuda",
            batch=max(1, _VOXELS[self._device] // math.prod(self._plans.patch_size)),
        )
        logger.info(
            "loaded %s, folds %s, on %s in %.1f s", folder, self.folds, self._device, time.monotonic() - started
        )

    def __call__(self, volume: npt.NDArray[Any], spacing_mm: Spacing) -> Prediction:
        """Segment a CT.

        Parameters
        ----------
        volume : ndarray of int16 or float32, shape (columns, rows, slices)
            HU.
        spacing_mm : tuple of float
            Voxel size, in the same order.

        Returns
        -------
        Prediction
            The label map on the same grid, and how it was made. A CT of zeros has no labels.

        Raises
        ------
        UnsuitableCtError
            If no network could segment it.
        GpuMemoryError
            If the memory of the GPU does not suffice, not even for a single patch.
        NotFiniteError
            If the networks give something that is no number.
        """
        stages = Stopwatch()
        finite, remark = finite_voxels(volume)
        slices_first, spacing = finite.T, (spacing_mm[2], spacing_mm[1], spacing_mm[0])
        grid = plan_grid(slices_first, spacing, self._plans)
        if grid is None:
            labels = np.zeros(slices_first.shape, dtype=np.uint8)
            remark = remark or "all voxels are 0 HU: there is nothing to segment"
        else:
            labels = in_gpu_memory(partial(self._on_device, slices_first, grid, stages), self._name)
            if self._postprocessing is not None:
                postprocess(labels, spacing, self._postprocessing)
                stages.end("postprocess")
        return Prediction(
            labels=labels.T,
            weights_digest=self.weights_digest,
            folds=self.folds,
            mixed_precision=self._window.mixed,
            software=_software(),
            seconds=stages.seconds,
            remark=remark,
        )

    def _on_device(self, volume: npt.NDArray[Any], grid: Grid, stages: Stopwatch) -> npt.NDArray[np.uint8]:
        import torch

        data = preprocess(volume, grid, self._plans, self._device)
        if data.is_cuda:
            torch.cuda.synchronize()
        stages.end("preprocess")
        probabilities = self._window.predict(data)
        stages.end("network")
        del data
        labels = export(probabilities, grid, self._plans)
        stages.end("export")
        return labels

    def _network(self, checkpoint: Path) -> Forward:
        weights = read_weights(checkpoint)
        try:
            with quiet(logger, "nnunet"):
                network = load_network(self._plans, weights, self._device)
        except RuntimeError as error:  # how torch says that names or shapes differ
            if out_of_memory(error):
                raise
            message = f"{checkpoint}: has not the weights of the network in its plans ({str(error).splitlines()[0]})"
            raise ModelFormatError(message) from error
        return partial(logits, network)


def _folds(folder: Path, folds: tuple[int, ...] | None) -> tuple[int, ...]:
    present = tuple(int(path.parent.name.removeprefix("fold_")) for path in fold_checkpoints(folder))
    missing = sorted(set(folds or ()) - set(present))
    if missing or not present:
        message = f"{folder}: fold_{missing[0] if missing else 0} is missing; folds there: {present or 'none'}"
        raise ModelFormatError(message)
    return tuple(sorted(folds)) if folds else present


def _weights_digest(folder: Path, checkpoints: list[Path]) -> str:
    """Digest what determines a prediction: weights, plans as the checkpoints carry them, postprocessing."""
    files = [file for path in checkpoints for file in (path, path.with_suffix(".model.pkl"))]
    return combined_digest(file_digest(path) for path in (*files, folder / FILE) if path.is_file())


def _software() -> str:
    return ", ".join(f"{name} {importlib.metadata.version(name)}" for name in ("nnunet", "torch", "ct-assets"))
