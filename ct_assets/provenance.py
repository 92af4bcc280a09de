"""Which model made something, and how."""

from pydantic import BaseModel, ConfigDict

DEMONSTRATION_NOTICE = "demonstration model, not for real anatomy"
"""What objects, tables and pages say when a demonstration model made them."""


class ModelFormatError(ValueError):
    """A model folder that does not hold the model it should; the message names the file."""


class Provenance(BaseModel):
    """What determines the output of a model, beside its input."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    configuration: str
    folds: tuple[int, ...] = ()
    tta: bool = False
    step_size: float | None = None
    mixed_precision: bool = False
    weights_digest: str
    software: str
    demonstration: bool

    @property
    def notice(self) -> str | None:
        """Warning that goes with everything a demonstration model makes."""
        return DEMONSTRATION_NOTICE if self.demonstration else None
