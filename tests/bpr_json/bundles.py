"""A body part regression model with the real architecture and random weights, in bpreg's format."""

import json
from pathlib import Path

from ct_assets.bpr_json.bpreg_import import import_inference_model
from ct_assets.demo.atlas import LANDMARK_HEIGHTS

RAW_ZERO, RAW_HUNDRED = -0.5, 3.5
"""Raw scores that become 0 and 100; what the network makes of a chest then spreads over about three units."""


def write_random_bundle(folder: Path, seed: int) -> Path:
    """Write model.pt, config.json and inference-settings.json; no weight is zero.

    Scores of such a network cover few of the 100 units: with a finer scale, what 32 bits round would exceed the
    tolerance. The look-up values are spread over those few units, so that several regions and landmarks occur.
    """
    import torch

    import_inference_model()
    from bpreg.network_architecture.bpr_model import BodyPartRegression

    folder.mkdir(parents=True)
    torch.manual_seed(seed)
    network = BodyPartRegression()
    for layer in network.modules():
        if isinstance(layer, torch.nn.Conv2d):
            torch.nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
    torch.save(network.state_dict(), folder / "model.pt")
    (folder / "config.json").write_text(json.dumps({"alpha": 0, "lr": 0.001, "base_model": "vgg"}))
    low, high = min(LANDMARK_HEIGHTS.values()), max(LANDMARK_HEIGHTS.values())
    transformed = {
        name: {"mean": round(6 * (height - low) / (high - low), 3), "std": 0.1}
        for name, height in LANDMARK_HEIGHTS.items()
    }
    original = {name: {"mean": RAW_ZERO, "std": 0.1} for name in LANDMARK_HEIGHTS}
    original["eyes_end"]["mean"] = RAW_HUNDRED
    settings = {
        "slope_mean": 0.02,
        "lower_quantile_tangential_slope": -0.037,
        "upper_quantile_tangential_slope": 0.25,
        "lookuptable_train_val": {"original": original, "transformed": transformed},
        "lookuptable_train": {},
        "settings": {"start-landmark": "pelvis_start", "end-landmark": "eyes_end"},
    }
    (folder / "inference-settings.json").write_text(json.dumps(settings))
    return folder
