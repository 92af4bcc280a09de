"""What the models of a collection YAML have in common: strict keys, rising ranges, expanded paths."""

import os
import re
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict

from ct_assets.settings import settings

_VARIABLE = re.compile(r"\$\{(\w+)\}")


class CollectionError(ValueError):
    """A collection YAML that cannot be used; the message names the file, the key and what is allowed."""


class StrictModel(BaseModel):
    """A part of a collection: unknown keys and infinite numbers are refused, and nothing changes after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


def _rising(value: tuple[float, float]) -> tuple[float, float]:
    if not value[0] < value[1]:
        message = "the first of the two must be the smaller"
        raise ValueError(message)
    return value


Range = Annotated[tuple[float, float], AfterValidator(_rising)]
"""Smallest and largest allowed value."""


def expand(path: str) -> str:
    """Replace ${NAME} by environment variables, ${CT_ASSETS_HOME} also where it is not set.

    Parameters
    ----------
    path : str
        Path or address from a collection YAML.

    Raises
    ------
    CollectionError
        If a variable is not set.
    """
    known = {**os.environ, "CT_ASSETS_HOME": settings().home}
    unset = [name for name in _VARIABLE.findall(path) if name not in known]
    if unset:
        message = f"environment variable {unset[0]} is not set; it is needed for the path {path}"
        raise CollectionError(message)
    return _VARIABLE.sub(lambda match: known[match[1]], path)
