"""Records: small JSON files with a model of their own, written atomically and checked when they are read."""

import json
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, ValidationError

from ct_assets.store.atomic import write_json


class RecordError(ValueError):
    """A record that is damaged or of another version; the message names it and the remedy."""


class Record(BaseModel):
    """Base of the records; each has a ``schema_version`` with its one allowed value."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @classmethod
    def version(cls) -> int:
        """Return the ``schema_version`` of records that are written now."""
        return int(cls.model_fields["schema_version"].default)

    def write(self, path: Path) -> None:
        """Write the record atomically.

        Parameters
        ----------
        path : Path
            JSON file.
        """
        write_json(path, self.model_dump(mode="json"))

    @classmethod
    def read(cls, path: Path, asset: str) -> Self:
        """Read a record.

        Parameters
        ----------
        path : Path
            JSON file.
        asset : str
            Asset that writes it, for the remedy.

        Raises
        ------
        FileNotFoundError
            If the asset has not been materialized.
        RecordError
            If the file is damaged or of another version.
        """
        if not path.is_file():
            message = f"{path} is missing; materialize {asset} for this series first"
            raise FileNotFoundError(message)
        try:
            return cls.model_validate(json.loads(path.read_text(encoding="utf-8")))
        except (ValidationError, ValueError) as error:
            message = f"{path} is damaged or of another version; materialize {asset} for this series again"
            raise RecordError(message) from error
