"""Where an installed model came from, in a file beside it."""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from ct_assets.store.atomic import write_json

SOURCE = "model_source.json"
"""Name of the file in the model's folder."""


class ModelSource(BaseModel):
    """Which archive a model was installed from.

    `zenodo_record` and `doi` are None for an archive that somebody had, whose MD5 nobody compared. `weights_sha256`
    has, for every model in the folder, the digest that everything made with it carries.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    schema_version: Literal[1] = 1
    name: str
    version: str | None
    zenodo_record: int | None
    doi: str | None
    file: str
    size: int
    md5: str
    md5_compared: bool
    weights_sha256: dict[str, str]


def write_source(folder: Path, source: ModelSource) -> None:
    """Write where a model came from.

    Parameters
    ----------
    folder : Path
        Folder of the model.
    source : ModelSource
        Its source.
    """
    write_json(folder / SOURCE, source.model_dump(mode="json"))


def read_source(folder: Path) -> ModelSource | None:
    """Return where a model came from; None if it does not say so.

    Parameters
    ----------
    folder : Path
        Folder of the model.
    """
    try:
        return ModelSource.model_validate_json((folder / SOURCE).read_bytes())
    except (OSError, ValidationError):
        return None
