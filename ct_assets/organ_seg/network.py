"""The network of nnU-Net v1, its Generic_UNet, for inference: one output, and nothing kept for training."""

from functools import partial
from typing import TYPE_CHECKING, Any

from ct_assets.organ_seg.plans import Plans

if TYPE_CHECKING:
    import torch


def build_network(plans: Plans) -> Any:
    """Build the network of a model as nnUNetTrainerV2 does, with torch's initial weights.

    Parameters
    ----------
    plans : Plans
        Plans of the model.

    Returns
    -------
    Generic_UNet
        In training mode, with one output.
    """
    from nnunet.network_architecture.generic_UNet import Generic_UNet
    from torch import nn

    convolution, norm, dropout = (
        (nn.Conv2d, nn.InstanceNorm2d, nn.Dropout2d) if plans.flat else (nn.Conv3d, nn.InstanceNorm3d, nn.Dropout3d)
    )
    network = Generic_UNet(
        input_channels=1,
        base_num_features=plans.base_features,
        num_classes=plans.classes,
        num_pool=len(plans.pool_kernels),
        num_conv_per_stage=plans.convolutions_per_stage,
        conv_op=convolution,
        norm_op=norm,
        norm_op_kwargs={"eps": 1e-5, "affine": True},
        dropout_op=dropout,
        dropout_op_kwargs={"p": 0, "inplace": True},
        nonlin_kwargs={"negative_slope": 1e-2, "inplace": True},
        final_nonlin=_unchanged,
        weightInitializer=None,
        pool_op_kernel_sizes=plans.pool_kernels,
        conv_kernel_sizes=plans.conv_kernels,
        convolutional_pooling=True,
        convolutional_upsampling=True,
    )
    network.do_ds = False
    return network


def load_network(plans: Plans, weights: dict[str, Any], device: str) -> Any:
    """Build the network of a fold and give it its weights.

    Parameters
    ----------
    plans : Plans
        Plans of the model.
    weights : dict
        Name to tensor, from `checkpoint.read_weights`.
    device : str
        cpu or cuda.

    Returns
    -------
    Generic_UNet
        For `logits`.

    Raises
    ------
    RuntimeError
        If the weights are not those of such a network, as torch says it.
    """
    import torch

    with torch.device("meta"):  # no memory, and no random numbers, for weights that are replaced
        network = build_network(plans)
    network.load_state_dict(weights, strict=True, assign=True)
    network.eval().requires_grad_(requires_grad=False).to(device)
    if device == "cpu" and torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        # torch itself takes a much slower convolution for most of the layers of a small 3d network.
        for module in network.modules():
            if isinstance(module, torch.nn.Conv3d):
                setattr(module, "forward", partial(_onednn, module))  # noqa: B010 (mypy lets no method be assigned)
    return network


def logits(network: Any, images: "torch.Tensor") -> "torch.Tensor":
    """Run a network as its forward does, without the outputs of coarser levels that only training looks at.

    Parameters
    ----------
    network : Generic_UNet
        From `load_network`.
    images : Tensor of shape (batch, 1, *patch)
        Normalized.

    Returns
    -------
    Tensor of shape (batch, classes, *patch)
        Logits.
    """
    import torch

    skips = []
    features = images
    for block in network.conv_blocks_context[:-1]:
        features = block(features)
        skips.append(features)
    features = network.conv_blocks_context[-1](features)
    for up, block in zip(network.tu, network.conv_blocks_localization, strict=True):
        features = block(torch.cat((up(features), skips.pop()), dim=1))
    # The last convolution is one of single voxels: a matrix product.
    last = network.seg_outputs[-1]
    result: torch.Tensor = last.weight.flatten(1) @ features.flatten(2)
    if last.bias is not None:
        result = result + last.bias[:, None]
    return result.reshape(*result.shape[:2], *features.shape[2:])


def _onednn(convolution: Any, images: "torch.Tensor") -> "torch.Tensor":
    import torch

    result: torch.Tensor = torch.mkldnn_convolution(
        images,
        convolution.weight,
        convolution.bias,
        convolution.padding,
        convolution.stride,
        convolution.dilation,
        convolution.groups,
    )
    return result


def _unchanged(values: Any) -> Any:
    return values
