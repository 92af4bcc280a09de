"""Resource model_store: where the weights are, checked before anything is loaded."""

import json
from pathlib import Path
from typing import Any

import dagster as dg

from ct_assets.store.digest import combined_digest
from resources.model_catalogue import remedy
from resources.model_files import BPREG_FILES, NNUNET_FILES, TRAINER_FOLDER, missing_files

_MODEL_SUFFIXES = {".model", ".pkl", ".json", ".pt"}


class ModelMissingError(FileNotFoundError):
    """Weights that are not installed; the message names the folder and how to get them."""


class ModelStore(dg.ConfigurableResource):
    """Models below one folder: `<name>/nnUNet/<configuration>/…` and `<name>/bpreg/…`."""

    root: str

    def nnunet(self, name: str, configuration: str) -> Path:
        """Return the folder of an nnU-Net v1 model that holds plans.pkl and the folds.

        Parameters
        ----------
        name : str
            Model name in the collection, such as demo or segthor.
        configuration : str
            2d, 3d_lowres or 3d_fullres.

        Raises
        ------
        ModelMissingError
            If the folder or a file of it is missing.
        """
        folder = self._root / name / "nnUNet" / configuration / TRAINER_FOLDER
        return self._require(folder, name, NNUNET_FILES)

    def bpreg(self, name: str) -> Path:
        """Return the folder of a body part regression model.

        Parameters
        ----------
        name : str
            Model name in the collection, such as demo or bpr_public.

        Raises
        ------
        ModelMissingError
            If the folder or a file of it is missing.
        """
        folder = self._root / name / "bpreg"
        return self._require(folder, name, BPREG_FILES)

    def card(self, name: str) -> dict[str, Any]:
        """Return what the model says of itself; empty for a model that brings no model_card.json.

        Parameters
        ----------
        name : str
            Model name in the collection.
        """
        for path in (self._root / name / "model_card.json", *sorted((self._root / name).glob("*/model_card.json"))):
            if path.is_file():
                card: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
                return card
        return {}

    @staticmethod
    def fingerprint(folder: Path) -> str:
        """Return a digest of the names, sizes and times of a model's files: cheap, and new when weights are replaced.

        Parameters
        ----------
        folder : Path
            Folder of the model.
        """
        files = sorted(path for path in folder.rglob("*") if path.suffix in _MODEL_SUFFIXES and path.is_file())
        return combined_digest(f"{path}|{path.stat().st_size}|{path.stat().st_mtime_ns}" for path in files)

    @property
    def _root(self) -> Path:
        return Path(self.root).expanduser().resolve()

    def _require(self, folder: Path, name: str, patterns: tuple[str, ...]) -> Path:
        missing = missing_files(folder, patterns)
        if not missing:
            return folder
        message = f"model {name}: {missing[0]} is missing in {folder}; {remedy(name)}"
        raise ModelMissingError(message)
