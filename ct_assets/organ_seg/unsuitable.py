"""What cannot be segmented, and why."""


class UnsuitableCtError(ValueError):
    """A CT that no network can segment; the message says why."""


class NotFiniteError(RuntimeError):
    """A network that gives something that is no number; the message says what to do."""
