"""What the plans of an nnU-Net v1 model ask for, read as nnU-Net reads them and checked before anything is built."""

import math
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from ct_assets.provenance import ModelFormatError

ANISOTROPY = 3
"""Ratio of the largest to the smallest spacing above which nnU-Net resamples an axis by itself."""

_LARGEST = 4096
_LARGEST_PATCH = 1 << 26
_TRAINERS = {"nnUNetTrainerV2"}
_STAGE = 5  # place of the stage among the arguments of nnUNetTrainerV2
_PREPROCESSORS = {3: "GenericPreprocessor", 2: "PreprocessorFor2D"}

Spacing = tuple[float, float, float]
"""Voxel size in mm, by axis."""

_Size = Annotated[int, Field(gt=0, le=_LARGEST)]
_Axes = tuple[int, int, int]


def _plain(value: Any) -> Any:
    """Turn numpy's arrays and numbers into Python's."""
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    if isinstance(value, dict):
        return {_plain(key): _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)


class Intensities(_Part):
    """CT numbers of the training data's foreground, HU."""

    mean: float
    sd: float = Field(gt=0)
    lowest: float = Field(alias="percentile_00_5")
    highest: float = Field(alias="percentile_99_5")


class ExportOrders(_Part):
    """Spline orders by which class probabilities go back to the grid of the CT; `_z` along an anisotropic axis."""

    force_separate_z: bool | None = None
    interpolation_order: int = Field(default=1, ge=0, le=5)
    interpolation_order_z: int = Field(default=0, ge=0, le=5)


class _Stage(_Part):
    patch_size: tuple[_Size, ...] = Field(min_length=2, max_length=3)
    current_spacing: tuple[Annotated[float, Field(gt=0)], ...] = Field(min_length=3, max_length=3)
    num_pool_per_axis: tuple[int, ...]
    pool_op_kernel_sizes: tuple[tuple[_Size, ...], ...] | None = None
    conv_kernel_sizes: tuple[tuple[_Size, ...], ...] | None = None


class _Dataset(_Part):
    intensityproperties: dict[int, Intensities] | None = None


class _Plans(_Part):
    num_modalities: Literal[1]
    num_classes: int = Field(ge=1, le=255)
    base_num_features: _Size
    conv_per_stage: int = Field(default=2, ge=1, le=8)
    normalization_schemes: dict[int, str]
    use_mask_for_norm: dict[int, bool]
    dataset_properties: _Dataset = _Dataset()
    transpose_forward: _Axes | None = None
    transpose_backward: _Axes | None = None
    preprocessor_name: str | None = None
    segmentation_export_params: ExportOrders = ExportOrders()
    plans_per_stage: dict[int, _Stage]


class _Checkpoint(_Part):
    name: str
    init: tuple[Any, ...] = Field(min_length=_STAGE + 1)
    plans: Annotated[_Plans, BeforeValidator(_plain)]


class Plans(_Part):
    """What a network and its pre- and postprocessing need.

    Axes are those of nnU-Net's arrays, slices first, after `transpose_forward`; `patch_size` has two of them for a
    2d model, which works on the slices along the first. `spacing_mm` is the one that the network was trained at.
    """

    patch_size: tuple[int, ...]
    spacing_mm: Spacing
    pool_kernels: tuple[tuple[int, ...], ...]
    conv_kernels: tuple[tuple[int, ...], ...]
    base_features: int
    convolutions_per_stage: int
    classes: int
    normalization: str
    normalize_nonzero_only: bool
    intensities: Intensities | None
    transpose_forward: _Axes
    transpose_backward: _Axes
    export: ExportOrders

    @property
    def flat(self) -> bool:
        """Tell whether the network is two-dimensional."""
        return len(self.patch_size) == 2

    @model_validator(mode="after")
    def _fits_together(self) -> "Plans":
        axes = len(self.patch_size)
        if math.prod(self.patch_size) > _LARGEST_PATCH or not self.pool_kernels:
            message = (
                f"a patch of {self.patch_size} voxels, pooled {len(self.pool_kernels)} times, is none of nnU-Net's"
            )
            raise ValueError(message)
        kernels = (*self.pool_kernels, *self.conv_kernels)
        if any(len(kernel) != axes for kernel in kernels) or len(self.conv_kernels) != len(self.pool_kernels) + 1:
            message = "patch size, pooling and convolution kernels do not fit together"
            raise ValueError(message)
        if any(side not in (1, 3) for kernel in self.conv_kernels for side in kernel):
            message = f"convolution kernels {self.conv_kernels} have other sides than 1 and 3"
            raise ValueError(message)
        pooled = [math.prod(sides) for sides in zip(*self.pool_kernels, strict=True)]
        if any(side % step for side, step in zip(self.patch_size, pooled, strict=True)):
            message = f"the patch size {self.patch_size} cannot be divided by all that is pooled"
            raise ValueError(message)
        forward, backward = self.transpose_forward, self.transpose_backward
        if sorted(forward) != [0, 1, 2] or [forward[axis] for axis in backward] != [0, 1, 2]:
            message = f"transpose_forward {forward} and transpose_backward {backward} do not undo each other"
            raise ValueError(message)
        if self.normalization in {"CT", "CT2"} and self.intensities is None:
            message = f"normalization scheme {self.normalization} needs intensityproperties"
            raise ValueError(message)
        return self


def parse_plans(content: Any, path: Path) -> Plans:
    """Check what a model.pkl holds.

    Parameters
    ----------
    content : Any
        Content of model_final_checkpoint.model.pkl, unpickled safely: a dict with `name`, `init` and `plans`.
    path : Path
        The file, for messages.

    Returns
    -------
    Plans
        Plans of the stage that the checkpoint was trained for, gaps of old plans filled as nnU-Net fills them.

    Raises
    ------
    ModelFormatError
        If something is missing, or asks for a trainer or a preprocessor other than nnU-Net v1's own.
    """
    try:
        checkpoint = _Checkpoint.model_validate(content)
        if checkpoint.name not in _TRAINERS:
            message = f"{path}: trainer {checkpoint.name!r} is not supported; supported: {sorted(_TRAINERS)}"
            raise ModelFormatError(message)
        return _chosen(checkpoint.plans, _plain(checkpoint.init[_STAGE]), path)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        message = f"{path}: is not a model that nnU-Net v1 wrote: {place + ': ' if place else ''}{first['msg']}"
        raise ModelFormatError(message) from error
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        if isinstance(error, ModelFormatError):
            raise
        message = f"{path}: is not a model that nnU-Net v1 wrote ({type(error).__name__}: {error})"
        raise ModelFormatError(message) from error


def _chosen(plans: _Plans, number: Any, path: Path) -> Plans:
    stages = plans.plans_per_stage
    number = next(iter(stages)) if number is None and len(stages) == 1 else number
    if number not in stages:
        message = f"{path}: stage {number} is not in the plans, which have {sorted(stages)}"
        raise ModelFormatError(message)
    stage = stages[number]
    preprocessor = plans.preprocessor_name or _PREPROCESSORS[len(stage.patch_size)]
    if preprocessor != _PREPROCESSORS[len(stage.patch_size)]:
        message = f"{path}: preprocessor {preprocessor!r} is not supported; supported: {_PREPROCESSORS.values()}"
        raise ModelFormatError(message)
    pools = stage.num_pool_per_axis
    intensities = plans.dataset_properties.intensityproperties
    return Plans(
        patch_size=stage.patch_size,
        spacing_mm=stage.current_spacing,
        pool_kernels=stage.pool_op_kernel_sizes or _pool_kernels(pools),
        conv_kernels=stage.conv_kernel_sizes or ((3,) * len(pools),) * (max(pools) + 1),
        base_features=plans.base_num_features,
        convolutions_per_stage=plans.conv_per_stage,
        classes=plans.num_classes + 1,  # the background is not counted in plans
        normalization=plans.normalization_schemes[0],
        normalize_nonzero_only=plans.use_mask_for_norm[0],
        intensities=intensities[0] if intensities else None,
        transpose_forward=plans.transpose_forward or (0, 1, 2),
        transpose_backward=plans.transpose_backward or (0, 1, 2),
        export=plans.segmentation_export_params,
    )


def _pool_kernels(pools: tuple[int, ...]) -> tuple[tuple[int, ...], ...]:
    """Return the kernels of plans that name only how often each axis is halved: the last poolings are of all axes."""
    return tuple(tuple(2 if max(pools) - count <= step else 1 for count in pools) for step in range(max(pools)))
