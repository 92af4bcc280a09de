"""bpreg's VGG16 regressor as one plain sequence of layers, without the channels that can never be active."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt
    from torch import Tensor, nn

BATCH: Final = {"cpu": 4, "cuda": 128}
"""Slices at a time: on a CPU few, whose features stay in its cache; on a GPU many."""


def scoring_network(regression: Any) -> nn.Sequential:
    """Return the forward pass of `bpreg.network_architecture.bpr_model.BodyPartRegression`.

    Parameters
    ----------
    regression : BodyPartRegression
        bpreg's network with its weights.

    Returns
    -------
    Sequential
        Takes slices (n, 1, 128, 128) from -1 to 1, gives scores (n, 1). Channels that a ReLU always sets to zero,
        whatever the input, are left out; they are many in a small network that was embedded in a large one.
    """
    from torch import nn

    layers = [*regression.model.children(), regression.conv6, nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    return nn.Sequential(*_without_dead_channels([*layers, regression.fc7])).eval()


def predict(network: nn.Sequential, slices: npt.NDArray[np.float32], device: str) -> npt.NDArray[np.float64]:
    """Score slices.

    Parameters
    ----------
    network : Sequential
        From `scoring_network`, on the device.
    slices : ndarray of float32, shape (n, 128, 128)
        From `ct_assets.bpr_json.preprocess.preprocess`.
    device : str
        cpu or cuda.

    Returns
    -------
    ndarray of float64, shape (n,)
        Scores as the network gives them, neither transformed nor smoothed.
    """
    import torch

    size = BATCH[device]
    scores = []
    # Without TF32, which would round weights and features to 10 bits: scores shall be those of a CPU.
    with torch.inference_mode(), torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
        for start in range(0, len(slices), size):
            batch = torch.from_numpy(slices[start : start + size, None]).to(device, memory_format=torch.channels_last)
            scores.append(network(batch)[:, 0].cpu().numpy())
    return np.concatenate(scores).astype(np.float64)


def _without_dead_channels(layers: list[nn.Module]) -> list[nn.Module]:
    """Remove output channels whose weights are all zero and whose bias is not positive: a ReLU follows each layer."""
    import torch
    from torch import nn

    alive: Tensor | None = None
    for place, layer in enumerate(layers):
        if not isinstance(layer, nn.Conv2d | nn.Linear):
            continue
        weight, bias = layer.weight.detach(), None if layer.bias is None else layer.bias.detach()
        if alive is not None:
            weight = weight[:, alive]
        if layer is layers[-1]:
            alive = torch.ones(len(weight), dtype=torch.bool)
        else:
            alive = weight.flatten(1).ne(0).any(1)
            alive = alive if bias is None else alive | bias.gt(0)
            alive[0] |= not alive.any()  # a layer needs a channel, be it a dead one
        layers[place] = _with_weights(layer, weight[alive], None if bias is None else bias[alive])
    return layers


def _with_weights(layer: nn.Conv2d | nn.Linear, weight: Tensor, bias: Tensor | None) -> nn.Module:
    """Return a layer of the same kind with other weights."""
    from torch import nn

    outputs, inputs = weight.shape[:2]
    kept: nn.Conv2d | nn.Linear
    if isinstance(layer, nn.Conv2d):
        size, stride, padding = layer.kernel_size, layer.stride, layer.padding
        kept = nn.Conv2d(inputs, outputs, size, stride=stride, padding=padding, bias=bias is not None)  # type: ignore[arg-type]
    else:
        kept = nn.Linear(inputs, outputs, bias=bias is not None)
    kept.weight.data = weight.clone()
    if bias is not None and kept.bias is not None:
        kept.bias.data = bias.clone()
    return kept
