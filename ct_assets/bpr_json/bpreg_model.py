"""A body part regression model, loaded once: inference by bpreg's own code."""

import contextlib
import importlib.metadata
import io
import logging
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import numpy.typing as npt

from ct_assets.bpr_json.bpreg_import import import_inference_model
from ct_assets.device import use_cuda
from ct_assets.provenance import ModelFormatError
from ct_assets.store.digest import combined_digest, file_digest

logger = logging.getLogger(__name__)

_FILES = ("model.pt", "config.json", "inference-settings.json")


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
        If model.pt does not hold every weight of the network.
    """

    def __init__(self, folder: Path | str, device: str) -> None:
        folder = Path(folder)
        self.weights_digest = combined_digest(file_digest(folder / name) for name in _FILES)
        with _quiet():
            self._model = import_inference_model().InferenceModel(base_dir=f"{folder}/", gpu=use_cuda(device))
            _require_all_weights(folder / "model.pt", self._model.model)
        logger.info("loaded %s", folder)

    def __call__(
        self, volume: npt.NDArray[np.int16], affine: npt.NDArray[np.float64]
    ) -> tuple[dict[str, Any] | None, dict[str, Any]]:
        """Score the slices of a CT.

        Parameters
        ----------
        volume : ndarray of shape (columns, rows, slices)
            HU.
        affine : ndarray of shape (4, 4)
            Index to RAS, mm.

        Returns
        -------
        result : dict or None
            bpreg's JSON; None if bpreg cannot take the volume.
        description : dict
            `weights_digest` and `software`, for the provenance.
        """
        with tempfile.TemporaryDirectory(prefix="ct-assets-") as scratch, _quiet():
            source = Path(scratch) / "ct.nii.gz"
            nib.save(nib.Nifti1Image(volume, affine), source)
            result = self._model.nifti2json(str(source))
        software = f"bpreg {importlib.metadata.version('bpreg')}, torch {importlib.metadata.version('torch')}"
        description = {"weights_digest": self.weights_digest, "software": software}
        return (result if isinstance(result, dict) else None), description


def _require_all_weights(path: Path, network: Any) -> None:
    """Refuse a file that does not hold every weight: bpreg would go on with random ones."""
    import torch

    stored = torch.load(path, map_location="cpu", weights_only=True)
    missing = [name for name in network.state_dict() if name not in stored and not name.endswith("num_batches_tracked")]
    if missing:
        message = (
            f"{path}: is not the body part regression network, {len(missing)} weights are missing ({missing[0]}, …)"
        )
        raise ModelFormatError(message)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Send bpreg's prints to the debug log and hide its third-party warnings."""
    output = io.StringIO()
    with contextlib.redirect_stdout(output), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
    if output.getvalue():
        logger.debug("bpreg: %s", output.getvalue().strip())
