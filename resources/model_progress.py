"""What of a model that is being installed takes long, and how far that has come."""

from collections.abc import Callable
from enum import StrEnum


class Step(StrEnum):
    """What is going on, as the command line shows it; each step goes once over all bytes of an archive or a model."""

    DOWNLOADING = "downloading"
    MD5 = "computing its MD5"
    UNPACKING = "unpacking"
    DIGEST = "computing the digest of the weights"


Report = Callable[[Step, int, int], None]
"""Called with the step, the bytes that are done and those that there are."""


def unreported(step: Step, done: int, total: int) -> None:
    """Tell nobody.

    Parameters
    ----------
    step : Step
        What is going on.
    done, total : int
        Bytes.
    """
