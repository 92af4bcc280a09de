"""The folder of a bpreg model, checked before it is used: bpreg itself would go on with what is missing."""

import json
from pathlib import Path
from typing import Any

from pydantic import BaseModel, Field, ValidationError

from ct_assets.provenance import ModelFormatError
from resources.model_files import BPREG_FILES

WEIGHTS, _, SETTINGS = BPREG_FILES


class _LookUp(BaseModel):
    mean: float
    std: float


class _LookUpTables(BaseModel):
    original: dict[str, _LookUp]
    transformed: dict[str, _LookUp]


class _Ends(BaseModel):
    start: str = Field(alias="start-landmark")
    end: str = Field(alias="end-landmark")


class InferenceSettings(BaseModel):
    """The keys of inference-settings.json that bpreg's inference reads."""

    slope_mean: float
    lower_quantile_tangential_slope: float
    upper_quantile_tangential_slope: float
    lookuptable_train_val: _LookUpTables
    settings: _Ends


def require_settings(folder: Path, landmarks: set[str]) -> None:
    """Check inference-settings.json.

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
    try:
        content = InferenceSettings.model_validate(json.loads(path.read_text(encoding="utf-8")))
    except ValidationError as error:
        missing = ", ".join(".".join(str(part) for part in problem["loc"]) for problem in error.errors())
        message = f"{path}: is not what bpreg's inference needs; missing or wrong: {missing}"
        raise ModelFormatError(message) from error
    except ValueError as error:
        message = f"{path}: is not JSON ({error})"
        raise ModelFormatError(message) from error
    tables = content.lookuptable_train_val
    unknown = sorted(
        (landmarks - set(tables.transformed)) | ({content.settings.start, content.settings.end} - set(tables.original))
    )
    if unknown:
        message = f"{path}: the look-up table lacks {', '.join(unknown)}"
        raise ModelFormatError(message)


def require_all_weights(folder: Path, network: Any) -> None:
    """Check that model.pt holds every weight of the network.

    Parameters
    ----------
    folder : Path
        Folder of the model.
    network : torch.nn.Module
        bpreg's network.

    Raises
    ------
    ModelFormatError
        If a weight is missing.
    """
    import torch

    path = folder / WEIGHTS
    stored = torch.load(path, map_location="cpu", weights_only=True)
    missing = [name for name in network.state_dict() if name not in stored and not name.endswith("num_batches_tracked")]
    if missing:
        message = (
            f"{path}: is not the body part regression network, {len(missing)} weights are missing ({missing[0]}, …)"
        )
        raise ModelFormatError(message)
