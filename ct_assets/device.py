"""The device of the models: CUDA where it is asked for or found, never silently something else."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Literal, TypeVar

Device = Literal["auto", "cpu", "cuda"]

MEMORY_REMEDY = (
    "free it of other processes, or let fewer steps at a time use it (the limit of the pool gpu); or choose "
    "`precision: mixed`, a smaller configuration (3d_lowres, 2d), or CT_ASSETS_DEVICE=cpu"
)
"""What to do where the memory of a GPU does not suffice."""

_LACK_OF_MEMORY = ("ALLOC_FAILED", "unable to find an engine", "out of memory")

_Answer = TypeVar("_Answer")


class DeviceUnavailableError(RuntimeError):
    """CUDA was asked for and is not there; the message says what to do."""


class GpuMemoryError(RuntimeError):
    """A GPU that has too little memory; the message says for what, and what to do."""


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


def out_of_memory(error: RuntimeError) -> bool:
    """Tell a lack of GPU memory, which cuDNN and cuBLAS say in words of their own.

    Parameters
    ----------
    error : RuntimeError
        What torch raised.
    """
    import torch

    return isinstance(error, torch.OutOfMemoryError) or any(text in str(error) for text in _LACK_OF_MEMORY)


def in_gpu_memory(work: Callable[[], _Answer], model: str) -> _Answer:
    """Let a model work; where the memory of the GPU does not suffice, give it back and name the model.

    Parameters
    ----------
    work : callable
        Loads the model, or has it predict.
    model : str
        Names it.

    Returns
    -------
    Any
        What `work` returns.

    Raises
    ------
    GpuMemoryError
        If the memory does not suffice; the process is as good as before for the next series.
    """
    import torch

    try:
        return _in_a_thread_of_its_own(work) if _memory_has_lacked() else work()
    except GpuMemoryError as error:
        lacking = str(error)
    except RuntimeError as error:
        if not out_of_memory(error):
            raise
        lacking = f"the GPU has too little memory ({str(error).splitlines()[0]}); {MEMORY_REMEDY}"
    # Not in the blocks above: an error at hand holds on to what its functions had on the GPU.
    torch.cuda.empty_cache()
    message = f"model {model}: {lacking}"
    raise GpuMemoryError(message)


def _memory_has_lacked() -> bool:
    """Tell whether this process ever had too little, be it only for the fastest of several ways."""
    import torch

    if not torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        return False
    return bool(torch.cuda.memory_stats().get("num_ooms", 0))


def _in_a_thread_of_its_own(work: Callable[[], _Answer]) -> _Answer:
    """Work where torch chooses its convolutions anew.

    Where memory lacks, torch takes slower ones that need less (SegTHOR's network then took 12 s instead of 2.8 s on an
    H100), and the thread keeps to them, without a word, when there is enough again.
    """
    with ThreadPoolExecutor(max_workers=1) as thread:
        return thread.submit(work).result()
