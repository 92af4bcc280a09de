"""A body part regression model, loaded once: bpreg's numbers and bpreg's score processing, without its cost."""

import importlib.metadata
import logging
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ct_assets.bpr_json.bpreg_folder import read_weights, require_fit, require_settings
from ct_assets.bpr_json.bpreg_import import import_inference_model
from ct_assets.bpr_json.network import predict, scoring_network
from ct_assets.bpr_json.orientation import BpregOrientation
from ct_assets.bpr_json.prediction import Prediction
from ct_assets.bpr_json.preprocess import preprocess, spacing_of
from ct_assets.bpr_json.unsuitable import UnsuitableVolumeError
from ct_assets.device import in_gpu_memory, out_of_memory, use_cuda
from ct_assets.provenance import ModelFormatError
from ct_assets.quiet import quiet
from resources.model_files import bpreg_digest

logger = logging.getLogger(__name__)


class BpregModel:
    """Scores slices and finds regions as bpreg does.

    Parameters
    ----------
    folder : Path or str
        Folder with model.pt, config.json and inference-settings.json.
    device : str
        auto, cpu or cuda.

    Raises
    ------
    ModelFormatError
        If a file of the folder does not hold all that inference needs.
    """

    def __init__(self, folder: Path | str, device: str) -> None:
        self._name = str(folder)
        self._device = "cuda" if use_cuda(device) else "cpu"
        in_gpu_memory(partial(self._load, Path(folder)), self._name)
        logger.info("loaded %s on %s", folder, self._device)

    def _load(self, folder: Path) -> None:
        import torch

        self.weights_digest = bpreg_digest(folder)
        with quiet(logger, "bpreg"):
            self._bpreg = import_inference_model()
            require_settings(folder, self._landmarks_of_regions())
            weights = read_weights(folder)
            try:
                self._model = self._bpreg.InferenceModel(base_dir=f"{folder}/", gpu=self._device == "cuda")
            except RuntimeError as error:  # how torch says that shapes differ
                if out_of_memory(error):
                    raise
                message = f"{folder}: bpreg cannot load this model ({str(error).splitlines()[0]})"
                raise ModelFormatError(message) from error
            require_fit(folder, weights, self._model.model)
        self._network = scoring_network(self._model.model).to(self._device).to(memory_format=torch.channels_last)
        self._model.model = None  # its weights are in the network

    def __call__(self, volume: npt.NDArray[Any], affine: npt.NDArray[np.float64]) -> Prediction:
        """Score the slices of a CT.

        Parameters
        ----------
        volume : ndarray of int16 or float32, shape (columns, rows, slices)
            HU.
        affine : ndarray of shape (4, 4)
            Index to RAS, mm.

        Returns
        -------
        Prediction
            bpreg's JSON, or why body part regression cannot take the volume.

        Raises
        ------
        GpuMemoryError
            If the memory of the GPU does not suffice.
        """
        result, reason = None, None
        try:
            result = in_gpu_memory(partial(self._score, volume, affine), self._name)
        except UnsuitableVolumeError as error:
            reason = str(error)
        software = f"bpreg {importlib.metadata.version('bpreg')}, torch {importlib.metadata.version('torch')}"
        return Prediction(result, reason, self.weights_digest, software)

    def _score(self, volume: npt.NDArray[Any], affine: npt.NDArray[np.float64]) -> dict[str, Any]:
        scores = predict(self._network, preprocess(volume, affine), self._device)
        if not np.isfinite(scores).all():
            message = "the network gives scores that are not finite"
            raise UnsuitableVolumeError(message)
        step = spacing_of(affine, BpregOrientation.of(affine))[2]
        with quiet(logger, "bpreg"):
            processed = self._model.parse_scores(scores, step)
            result: dict[str, Any] = self._bpreg.VolumeStorage(processed, self._model.lookuptable).json
        return result

    def _landmarks_of_regions(self) -> set[str]:
        """Landmarks by which bpreg defines regions and tags."""
        definitions = (self._bpreg.BODY_PARTS, self._bpreg.BODY_PARTS_INCLUDED, self._bpreg.DISTINCT_BODY_PARTS)
        return {name for parts in definitions for names in parts.values() for name in names if isinstance(name, str)}
