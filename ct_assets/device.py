"""The device of the models: CUDA where it is asked for or found, never silently something else."""

from typing import Literal

Device = Literal["auto", "cpu", "cuda"]


class DeviceUnavailableError(RuntimeError):
    """CUDA was asked for and is not there; the message says what to do."""


def use_cuda(device: str) -> bool:
    """Tell whether models run on CUDA.

    Parameters
    ----------
    device : str
        auto: CUDA where there is one; cpu; cuda: nothing else will do.

    Raises
    ------
    DeviceUnavailableError
        If CUDA is asked for and torch finds none.
    """
    if device == "cpu":
        return False
    import torch

    available = bool(torch.cuda.is_available())
    if device == "cuda" and not available:
        message = "CT_ASSETS_DEVICE=cuda, but torch finds no CUDA device; check the driver, or set it to auto or cpu"
        raise DeviceUnavailableError(message)
    return available
