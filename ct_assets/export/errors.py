"""What stands in the way of giving results away."""


class ExportError(ValueError):
    """A release that cannot be written; the message says what to do."""


class NoSuchSegmentationError(LookupError):
    """A model without a SEG in the series."""
