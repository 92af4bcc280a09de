"""The demo body part regression model in the format of bpreg: network, configuration and inference settings."""

from __future__ import annotations

import json
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ct_assets.demo.atlas import LANDMARK_HEIGHTS

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

CHANNELS: Final[tuple[int, ...]] = (8, 8, 16, 16, 32, 32, 32, 48, 48, 48, 64, 64, 64)
"""Channels that are trained in the thirteen convolutions of VGG16; the rest of the network is zero."""
HEAD: Final = 64
"""Channels that are trained in the 1x1 convolution before the mean over the slice."""
SCORE_PER_MM: Final = 0.01
"""Slope of the raw score over atlas height."""
CORRECTION_PREFIX: Final = "correction:"
"""Prefix of the shipped arrays that hold a landmark's shift in the look-up table."""
START, END = "pelvis_start", "eyes_end"
"""Landmarks whose transformed scores are 0 and 100."""

_CONVOLUTIONS = (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28)  # their places in VGG16's feature layers
_WIDTHS = (64, 64, 128, 128, 256, 256, 256, 512, 512, 512, 512, 512, 512)
_SPREAD_MM = 5.0  # standard deviation stated in the look-up table
_SLOPE_LIMITS = (-0.037, 0.25)  # transformed score per mm; bpreg's own defaults


def raw_score(height: float | NDArray[np.floating]) -> NDArray[np.float64]:
    """Give the raw score of a height in atlas mm."""
    return SCORE_PER_MM * np.asarray(height, dtype=np.float64)


def build_narrow_network() -> Any:
    """Build the trained part of the network: VGG16's layout with `CHANNELS`, then the head, as one sequence."""
    from torch import nn

    layers: list[nn.Module] = []
    before = 1
    for index, channels in enumerate(CHANNELS):
        layers += [nn.Conv2d(before, channels, 3, padding=1, bias=index > 0), nn.ReLU()]
        if index in {1, 3, 6, 9, 12}:
            layers.append(nn.MaxPool2d(2))
        before = channels
    layers += [nn.Conv2d(before, HEAD, 1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(HEAD, 1)]
    return nn.Sequential(*layers)


def widen(narrow: dict[str, NDArray[np.floating]]) -> dict[str, NDArray[np.float32]]:
    """Embed the trained part in bpreg's whole network by zeros; both state dicts map a name to an array."""
    names = [f"model.{place}" for place in _CONVOLUTIONS] + ["conv6", "fc7"]
    sources = [key.removesuffix(".weight") for key in narrow if key.endswith(".weight")]
    shapes = [(o, i, 3, 3) for o, i in zip(_WIDTHS, (1, *_WIDTHS), strict=False)] + [(512, 512, 1, 1), (1, 512)]
    wide: dict[str, NDArray[np.float32]] = {}
    for name, source, shape in zip(names, sources, shapes, strict=True):
        for part, size in (("weight", shape), ("bias", shape[:1])):
            if f"{source}.{part}" not in narrow:
                continue
            array = np.zeros(size, np.float32)
            small = narrow[f"{source}.{part}"]
            array[tuple(slice(n) for n in small.shape)] = small
            wide[f"{name}.{part}"] = array
    return wide


def look_up_tables(corrections: dict[str, float]) -> tuple[dict[str, dict[str, float]], dict[str, dict[str, float]]]:
    """Give the raw and the transformed look-up table of all landmarks; corrections are in raw score."""
    means = {name: float(raw_score(height)) + corrections.get(name, 0.0) for name, height in LANDMARK_HEIGHTS.items()}
    low, high = means[START], means[END]
    scale = 100.0 / (high - low)
    spread = SCORE_PER_MM * _SPREAD_MM
    original = {name: {"mean": round(mean, 5), "std": spread} for name, mean in means.items()}
    transformed = {
        name: {"mean": round((mean - low) * scale, 3), "std": round(spread * scale, 3)} for name, mean in means.items()
    }
    return original, transformed


def write_model(folder: Path, narrow: dict[str, NDArray[np.floating]], corrections: dict[str, float]) -> Path:
    """Write model.pt, config.json and inference-settings.json.

    Parameters
    ----------
    folder
        The model folder.
    narrow
        State dict of the trained part, any float type.
    corrections
        Shift of the look-up mean of single landmarks in raw score.

    Returns
    -------
    Path
        The folder. The same input gives the same bytes.
    """
    import torch

    folder.mkdir(parents=True, exist_ok=True)
    state = OrderedDict((name, torch.from_numpy(array)) for name, array in widen(narrow).items())
    torch.save(state, folder / "model.pt")
    config = {
        "alpha": 0, "alpha_h": 1, "base_model": "vgg", "batch_size": 32, "beta_h": 0.01, "effective_batch_size": 32,
        "loss_order": "h", "lr": 0.001, "model_name": "ct-assets demonstration model", "name": "demo",
        "transform_params": {},
    }  # fmt: skip
    _write_json(folder / "config.json", config)
    original, transformed = look_up_tables(corrections)
    slope = 100.0 * SCORE_PER_MM / (original[END]["mean"] - original[START]["mean"])
    tables = {"original": original, "transformed": transformed}
    settings = {
        "slope_mean": slope,
        "slope_std": 0.05 * slope,
        "lower_quantile_tangential_slope": _SLOPE_LIMITS[0],
        "upper_quantile_tangential_slope": _SLOPE_LIMITS[1],
        "lookuptable_train_val": tables,
        "lookuptable_train": tables,
        "settings": {"start-landmark": START, "end-landmark": END},
    }
    _write_json(folder / "inference-settings.json", settings)
    return folder


def _write_json(path: Path, content: object) -> None:
    path.write_text(json.dumps(content, indent=1) + "\n")
