"""The files of a model folder, and the digest of them that stands for the model in everything it makes."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ct_assets.store.digest import combined_digest, file_digest

BODY_PART_REGRESSION = "body part regression"
"""Kind of a model that scores slices."""

SEGMENTATION = "nnU-Net v1"
"""Kind of a model that makes label maps."""

CONFIGURATIONS = ("2d", "3d_lowres", "3d_fullres")
"""Of nnU-Net v1, each a model of its own."""

BPREG_FILES = ("model.pt", "config.json", "inference-settings.json")
"""Files of a body part regression model, in the order in which they enter its digest."""

_FOLD = re.compile(r"fold_(0|[1-9][0-9]*)")

CHECKPOINT = "model_final_checkpoint.model"
"""Weights of a fold of an nnU-Net v1 model; its plans are beside it, in a file that ends in .pkl."""

TRAINER_FOLDER = Path("Task055_SegTHOR") / "nnUNetTrainerV2__nnUNetPlansv2.1"
"""Folder of the SegTHOR model below a configuration, as nnU-Net v1 names it."""

NNUNET_FILES = ("plans.pkl", f"fold_*/{CHECKPOINT}")
"""Without which a folder is no nnU-Net v1 model."""

POSTPROCESSING = "postprocessing.json"
"""What an nnU-Net v1 model does to its label maps; a model need not have it."""


@dataclass(frozen=True)
class ModelPart:
    """A model that can be loaded, one of those in a model folder.

    `name` is its folder below that one, `files` those that determine what it makes, in the order in which they enter
    its digest.
    """

    name: str
    kind: str
    files: tuple[Path, ...]

    @property
    def size(self) -> int:
        """Bytes of its files."""
        return sum(path.stat().st_size for path in self.files)

    @property
    def digest(self) -> str:
        """Digest that stands for it in what it makes; reads all of its files."""
        return self.reported_digest(lambda _size: None)

    def reported_digest(self, report: Callable[[int], None]) -> str:
        """Return the digest, and tell how far it has come.

        Parameters
        ----------
        report : callable
            Called with the bytes of each piece that was read.
        """
        return combined_digest(file_digest(path, report=report) for path in self.files)


def model_parts(folder: Path) -> list[ModelPart]:
    """Return the models in a model folder; those of which a file is missing are none.

    Parameters
    ----------
    folder : Path
        Folder of a name in the model store, which need not exist.
    """
    parts = []
    if not missing_files(folder / "bpreg", BPREG_FILES):
        files = tuple(folder / "bpreg" / name for name in BPREG_FILES)
        parts.append(ModelPart("bpreg", BODY_PART_REGRESSION, files))
    for configuration in CONFIGURATIONS:
        trainer = folder / "nnUNet" / configuration / TRAINER_FOLDER
        if not missing_files(trainer, NNUNET_FILES):
            parts.append(ModelPart(f"nnUNet/{configuration}", f"{SEGMENTATION} {configuration}", nnunet_files(trainer)))
    return parts


def missing_files(folder: Path, patterns: tuple[str, ...]) -> list[str]:
    """Return those of several patterns that nothing in a folder fits.

    Parameters
    ----------
    folder : Path
        Folder of a model, which need not exist.
    patterns : tuple of str
        Names or patterns below it.
    """
    return [pattern for pattern in patterns if not next(folder.glob(pattern), None)]


def bpreg_digest(folder: Path) -> str:
    """Return the digest of a body part regression model.

    Parameters
    ----------
    folder : Path
        Folder that has all of `BPREG_FILES`.

    Returns
    -------
    str
        64 hexadecimal digits.
    """
    return combined_digest(file_digest(folder / name) for name in BPREG_FILES)


def fold_checkpoints(folder: Path) -> list[Path]:
    """Return the checkpoints of an nnU-Net v1 model, sorted by fold; a folder like fold_0_old is none.

    Parameters
    ----------
    folder : Path
        Folder of the trainer.
    """
    found = {path: _FOLD.fullmatch(path.parent.name) for path in folder.glob(f"fold_*/{CHECKPOINT}")}
    folds = {path: int(match[1]) for path, match in found.items() if match}
    return sorted(folds, key=folds.__getitem__)


def nnunet_files(folder: Path) -> tuple[Path, ...]:
    """Return the files of an nnU-Net v1 model with all folds that are there, in the order of organ_seg's digest.

    Parameters
    ----------
    folder : Path
        Folder of the trainer.
    """
    files = [file for path in fold_checkpoints(folder) for file in (path, path.with_suffix(".model.pkl"))]
    return tuple(path for path in (*files, folder / POSTPROCESSING) if path.is_file())
