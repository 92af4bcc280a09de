"""Checkpoints of nnU-Net v1, read through an allow-list: weights, and nothing that runs."""

import pickle
import re
from pathlib import Path
from typing import Any

import numpy as np

from ct_assets.organ_seg.plans import Plans, parse_plans
from ct_assets.organ_seg.safe_pickle import UnsafePickleError, load_pickle
from ct_assets.provenance import ModelFormatError

_ASKED = re.compile(r"(?:GLOBAL|function|class) ([\w.]+)")
_PARALLEL = "module."  # what torch's DataParallel puts before every name


def read_plans(checkpoint: Path) -> Plans:
    """Read the plans that lie beside a checkpoint.

    Parameters
    ----------
    checkpoint : Path
        model_final_checkpoint.model.

    Raises
    ------
    UnsafePickleError
        If the file holds anything but numbers and names; nothing of it has run then.
    ModelFormatError
        If it is not what nnU-Net v1 writes.
    """
    path = checkpoint.with_suffix(".model.pkl")
    try:
        content = load_pickle(path)
    except UnsafePickleError:
        raise
    except FileNotFoundError as error:
        message = f"{path}: is missing; it holds the plans of the checkpoint beside it"
        raise ModelFormatError(message) from error
    except Exception as error:  # a damaged pickle raises almost anything
        raise _damaged(path, error) from error
    return parse_plans(content, path)


def read_weights(checkpoint: Path) -> dict[str, Any]:
    """Read the weights of a fold.

    Parameters
    ----------
    checkpoint : Path
        model_final_checkpoint.model, in either of the two formats that torch has had.

    Returns
    -------
    dict
        Name to tensor, on the CPU. The momentum that the optimizer left beside them is not kept in memory.

    Raises
    ------
    UnsafePickleError
        If the file holds anything but tensors, numbers and names; nothing of it has run then.
    ModelFormatError
        If it is damaged, or has no weights.
    """
    import torch

    try:
        with torch.serialization.safe_globals(_numpy_globals()):
            content = torch.load(checkpoint, map_location="cpu", weights_only=True, mmap=_is_zip(checkpoint))
    except pickle.UnpicklingError as error:
        raise _refused(checkpoint, error) from error
    except (RuntimeError, EOFError, OSError, ValueError, KeyError) as error:
        raise _damaged(checkpoint, error) from error
    state = content.get("state_dict") if isinstance(content, dict) else None
    if not isinstance(state, dict) or not all(_is_weight(name, value) for name, value in state.items()):
        message = f"{checkpoint}: holds no weights (state_dict)"
        raise ModelFormatError(message)
    # A copy: the file may be replaced while the model is loaded.
    return {name.removeprefix(_PARALLEL): value.to(torch.float32, copy=True) for name, value in state.items()}


def _is_weight(name: Any, value: Any) -> bool:
    """Tell a tensor that has all of its numbers in the file from one that would first grow beyond it."""
    import torch

    if not isinstance(name, str) or not isinstance(value, torch.Tensor) or value.layout != torch.strided:
        return False
    return value.numel() * value.element_size() <= value.untyped_storage().nbytes()


def _refused(path: Path, error: pickle.UnpicklingError) -> Exception:
    """Tell what the file asks for from what is only damaged; torch says both by the same error."""
    asked = _ASKED.search(str(error))
    if asked is None:
        return _damaged(path, error)
    message = f"{path}: refused, it asks for {asked[1]}; a checkpoint holds only weights and numbers"
    return UnsafePickleError(message)


def _damaged(path: Path, error: Exception) -> ModelFormatError:
    reason = str(error).partition("\n")[0] or type(error).__name__
    return ModelFormatError(f"{path}: is damaged ({reason}); install the model again")


def _is_zip(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(4) == b"PK\x03\x04"


def _numpy_globals() -> list[Any]:
    """Types of the numbers that nnU-Net v1 stores beside the weights, also under the name that numpy 1 had for them."""
    from numpy._core import multiarray

    scalar: Any = multiarray.scalar
    return [
        scalar,
        (scalar, "numpy.core.multiarray.scalar"),
        np.dtype,
        np.dtypes.Float64DType,
        np.dtypes.Float32DType,
        np.dtypes.Int64DType,
    ]
