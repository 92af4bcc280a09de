"""The most memory that this process held since a moment, beyond what it held then."""

from pathlib import Path


class PeakMemory:
    """Counts from when it is made; what the process held before, and its peak until then, are left out."""

    def __init__(self) -> None:
        self._before = _status("VmRSS")
        Path("/proc/self/clear_refs").write_text("5")  # forget the peak until now

    def bytes(self) -> int:
        """Return the most bytes held since."""
        return _status("VmHWM") - self._before


def _status(name: str) -> int:
    """Return a figure that the kernel keeps of this process, in bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{name}:"))
