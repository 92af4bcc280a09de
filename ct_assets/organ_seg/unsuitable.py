"""What cannot be segmented, and why."""

MEMORY_REMEDY = (
    "free it of other processes, choose `precision: mixed`, a smaller configuration (3d_lowres, 2d), or set "
    "CT_ASSETS_DEVICE=cpu"
)
"""What to do where the memory of a GPU does not suffice."""


class UnsuitableCtError(ValueError):
    """A CT that no network can segment; the message says why."""


class GpuMemoryError(RuntimeError):
    """A GPU that has too little memory even for the smallest batch; the message says what to do."""


class NotFiniteError(RuntimeError):
    """A network that gives something that is no number; the message says what to do."""
