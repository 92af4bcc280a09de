"""The error for a volume that body part regression cannot take."""


class UnsuitableVolumeError(ValueError):
    """Body part regression cannot take a volume; the message says why, and is recorded as the series' reason."""
