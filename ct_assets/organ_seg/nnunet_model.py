"""An nnU-Net v1 model, loaded once: plans and weights read safely, prediction by nnunet's own code."""

import contextlib
import importlib.metadata
import io
import logging
import os
import pickle
import tempfile
import warnings
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import numpy.typing as npt

from ct_assets.device import use_cuda
from ct_assets.organ_seg.safe_pickle import UnsafePickleError, load_pickle
from ct_assets.provenance import ModelFormatError
from ct_assets.store.digest import combined_digest, file_digest

logger = logging.getLogger(__name__)

_CHECKPOINT = "model_final_checkpoint.model"
_POSTPROCESSING = "postprocessing.json"
_TRAINERS = {"nnUNetTrainerV2"}


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
    device : str
        auto, cpu or cuda.

    Raises
    ------
    ModelFormatError
        If a fold is missing, or the checkpoint asks for an unknown trainer.
    UnsafePickleError
        If a file of the model holds anything but numbers and names.
    """

    def __init__(
        self, folder: Path | str, folds: tuple[int, ...] | None, *, tta: bool, step_size: float, device: str
    ) -> None:
        _prepare_import(device)
        folder = Path(folder)
        self._folder = folder
        self.folds = _folds(folder, folds)
        self.tta = tta
        self.step_size = step_size
        files = [folder / f"fold_{fold}" / _CHECKPOINT for fold in self.folds]
        self.weights_digest = _weights_digest(folder, files)
        self._trainer = _trainer(folder, files[0])
        self._weights = [_load_checkpoint(path) for path in files]
        logger.info("loaded %s, folds %s", folder, self.folds)

    def __call__(
        self, volume: npt.NDArray[np.int16], affine: npt.NDArray[np.float64]
    ) -> tuple[npt.NDArray[np.uint8], dict[str, Any]]:
        """Segment a CT.

        Parameters
        ----------
        volume : ndarray of shape (columns, rows, slices)
            HU.
        affine : ndarray of shape (4, 4)
            Index to RAS, mm.

        Returns
        -------
        labels : ndarray of uint8, shape (columns, rows, slices)
            Label map on the same grid.
        description : dict
            `weights_digest`, `folds` and `software`, for the provenance.
        """
        with tempfile.TemporaryDirectory(prefix="ct-assets-") as scratch, _quiet():
            source, target = Path(scratch) / "ct_0000.nii.gz", Path(scratch) / "labels.nii.gz"
            image = nib.Nifti1Image(volume, affine)
            image.set_qform(affine, 1)
            nib.save(image, source)
            self._predict(source, target)
            labels = np.asarray(nib.load(target).dataobj).astype(np.uint8)
        software = f"nnunet {importlib.metadata.version('nnunet')}, torch {importlib.metadata.version('torch')}"
        return labels, {"weights_digest": self.weights_digest, "folds": list(self.folds), "software": software}

    def _predict(self, source: Path, target: Path) -> None:
        """Do for one case what nnunet.inference.predict.predict_cases does, without its processes."""
        from nnunet.inference.segmentation_export import save_segmentation_nifti_from_softmax
        from nnunet.postprocessing.connected_components import load_postprocessing, load_remove_save

        trainer = self._trainer
        data, _, properties = trainer.preprocess_patient([str(source)])
        softmax = None
        for weights in self._weights:
            trainer.load_checkpoint_ram(weights, False)
            part = trainer.predict_preprocessed_data_return_seg_and_softmax(
                data,
                do_mirroring=self.tta,
                mirror_axes=trainer.data_aug_params["mirror_axes"],
                use_sliding_window=True,
                step_size=self.step_size,
                use_gaussian=True,
                all_in_gpu=False,
                mixed_precision=True,
                verbose=False,
            )[1]
            softmax = part if softmax is None else softmax + part
        assert softmax is not None
        softmax = softmax / len(self._weights) if len(self._weights) > 1 else softmax
        backward = trainer.plans.get("transpose_backward")
        if trainer.plans.get("transpose_forward") is not None:
            softmax = softmax.transpose([0] + [axis + 1 for axis in backward])
        export = trainer.plans.get("segmentation_export_params") or {}
        save_segmentation_nifti_from_softmax(
            softmax,
            str(target),
            properties,
            export.get("interpolation_order", 1),
            None,
            None,
            None,
            None,
            None,
            export.get("force_separate_z"),
            export.get("interpolation_order_z", 0),
        )
        postprocessing = self._folder / _POSTPROCESSING
        if postprocessing.is_file():
            classes, smallest = load_postprocessing(str(postprocessing))
            load_remove_save(str(target), str(target), classes, smallest)


def _prepare_import(device: str) -> None:
    """Set what nnunet reads when it is imported, so that it does not complain, and hide the GPU where asked to."""
    if device == "cpu":
        os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
    with _quiet():
        import nnunet.paths  # noqa: F401
    use_cuda(device)


@contextlib.contextmanager
def _quiet() -> Any:
    """Send nnunet's prints to the debug log and hide its third-party warnings."""
    output = io.StringIO()
    with contextlib.redirect_stdout(output), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
    if output.getvalue():
        logger.debug("nnunet: %s", output.getvalue().strip())


def _folds(folder: Path, folds: tuple[int, ...] | None) -> tuple[int, ...]:
    present = tuple(
        sorted(int(path.parent.name.removeprefix("fold_")) for path in folder.glob(f"fold_[0-9]*/{_CHECKPOINT}"))
    )
    missing = sorted(set(folds or ()) - set(present))
    if missing or not present:
        message = f"{folder}: fold_{missing[0] if missing else 0} is missing; folds there: {present or 'none'}"
        raise ModelFormatError(message)
    return tuple(folds) if folds else present


def _weights_digest(folder: Path, checkpoints: list[Path]) -> str:
    """Digest what determines a prediction: weights, plans as the checkpoints carry them, postprocessing."""
    files = [file for path in checkpoints for file in (path, path.with_suffix(".model.pkl"))]
    postprocessing = folder / _POSTPROCESSING
    return combined_digest(
        file_digest(path) for path in [*files, *([postprocessing] if postprocessing.is_file() else [])]
    )


def _trainer(folder: Path, checkpoint: Path) -> Any:
    """Build the trainer, which owns network, plans and preprocessing, as nnunet's restore_model does, but safely."""
    with _quiet():
        from nnunet.training.network_training.nnUNetTrainerV2 import nnUNetTrainerV2

        info = load_pickle(checkpoint.with_suffix(".model.pkl"))
        if info.get("name") not in _TRAINERS:
            message = f"{checkpoint}.pkl: trainer {info.get('name')!r} is not supported; supported: {sorted(_TRAINERS)}"
            raise ModelFormatError(message)
        trainer = nnUNetTrainerV2(*info["init"])
        trainer.print_to_log_file = lambda *_, **__: None  # nnunet would write a log into the model's folder
        trainer.process_plans(info["plans"])
        trainer.output_folder = trainer.output_folder_base = str(folder)
        trainer.initialize(training=False)
    return trainer


def _load_checkpoint(path: Path) -> dict[str, Any]:
    import torch

    try:
        with torch.serialization.safe_globals(_numpy_globals()):
            checkpoint: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        message = f"{path}: refused, it holds more than weights ({str(error).splitlines()[0]})"
        raise UnsafePickleError(message) from error
    return {"state_dict": checkpoint["state_dict"], "epoch": 0, "optimizer_state_dict": None, "amp_grad_scaler": None,
            "plot_stuff": ([], [], [], [])}  # fmt: skip


def _numpy_scalar() -> Any:
    from numpy._core import multiarray

    return multiarray.scalar


def _numpy_globals() -> list[Any]:
    """Types of the numbers that nnU-Net v1 stores beside the weights."""
    return [np.dtype, _numpy_scalar(), np.dtypes.Float64DType, np.dtypes.Float32DType, np.dtypes.Int64DType]
