"""The folder of a bpreg model, checked before it is used: bpreg itself would go on with what is missing."""

import json
from pathlib import Path
from typing import Any

from pydantic import BaseModel, Field, ValidationError

from ct_assets.provenance import ModelFormatError
from resources.model_files import BPREG_FILES

WEIGHTS, CONFIGURATION, SETTINGS = BPREG_FILES


class _LookUp(BaseModel):
    mean: float = Field(allow_inf_nan=False)
    std: float


class _LookUpTables(BaseModel):
    original: dict[str, _LookUp]
    transformed: dict[str, _LookUp]


class _Ends(BaseModel):
    start: str = Field(alias="start-landmark")
    end: str = Field(alias="end-landmark")


class InferenceSettings(BaseModel):
    """The keys of inference-settings.json that bpreg's inference reads."""

    slope_mean: float = Field(gt=0, allow_inf_nan=False)
    lower_quantile_tangential_slope: float = Field(allow_inf_nan=False)
    upper_quantile_tangential_slope: float = Field(allow_inf_nan=False)
    lookuptable_train_val: _LookUpTables
    settings: _Ends


def require_settings(folder: Path, landmarks: set[str]) -> None:
    """Check inference-settings.json, and that config.json can be read.

    Parameters
    ----------
    folder : Path
        Folder of the model.
    landmarks : set of str
        Landmarks that regions and tags are defined by; the look-up table must have them.

    Raises
    ------
    ModelFormatError
        If the file cannot be read or lacks something; the message says what.
    """
    path = folder / SETTINGS
    _json(folder / CONFIGURATION)
    try:
        content = InferenceSettings.model_validate(_json(path))
    except ValidationError as error:
        missing = ", ".join(".".join(str(part) for part in problem["loc"]) for problem in error.errors())
        message = f"{path}: is not what bpreg's inference needs; missing or wrong: {missing}"
        raise ModelFormatError(message) from error
    tables = content.lookuptable_train_val
    ends = [tables.original.get(name) for name in (content.settings.start, content.settings.end)]
    if None not in ends and ends[0] == ends[1]:
        message = f"{path}: start-landmark and end-landmark have the same score, so that scores have no scale"
        raise ModelFormatError(message)
    unknown = sorted(
        (landmarks - set(tables.transformed)) | ({content.settings.start, content.settings.end} - set(tables.original))
    )
    if unknown:
        message = f"{path}: the look-up table lacks {', '.join(unknown)}"
        raise ModelFormatError(message)


def read_weights(folder: Path) -> dict[str, Any]:
    """Read model.pt, tensors alone.

    Parameters
    ----------
    folder : Path
        Folder of the model.

    Raises
    ------
    ModelFormatError
        If it is not a file of weights, or a weight is no number.
    """
    import pickle

    import torch

    path = folder / WEIGHTS
    try:
        stored = torch.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, pickle.UnpicklingError, EOFError, ValueError) as error:
        message = f"{path}: is no file of weights that can be read ({type(error).__name__})"
        raise ModelFormatError(message) from error
    if not isinstance(stored, dict) or not all(isinstance(value, torch.Tensor) for value in stored.values()):
        message = f"{path}: holds something else than the weights of a network"
        raise ModelFormatError(message)
    for name, value in stored.items():
        if not torch.isfinite(value).all():
            message = f"{path}: weight {name} has values that are no numbers"
            raise ModelFormatError(message)
    return stored


def require_fit(folder: Path, weights: dict[str, Any], network: Any) -> None:
    """Check that the weights are those of the network, every one in its shape.

    Parameters
    ----------
    folder : Path
        Folder of the model, for the message.
    weights : dict
        From `read_weights`.
    network : torch.nn.Module
        bpreg's network.

    Raises
    ------
    ModelFormatError
        If a weight is missing or of another shape.
    """
    needed = {name: value.shape for name, value in network.state_dict().items()}
    wrong = [name for name, shape in needed.items() if name not in weights or weights[name].shape != shape]
    if wrong:
        message = (
            f"{folder / WEIGHTS}: is not the body part regression network, {len(wrong)} weights are missing or of "
            f"another shape ({wrong[0]}, …)"
        )
        raise ModelFormatError(message)


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        message = f"{path}: is not JSON ({error})"
        raise ModelFormatError(message) from error
