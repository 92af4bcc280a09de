"""How a model that can be loaded lies in the archive of its authors, and where in the model store it belongs."""

import re
from collections.abc import Collection
from dataclasses import dataclass

from resources.model_files import BPREG_FILES, CHECKPOINT, CONFIGURATIONS, POSTPROCESSING, TRAINER_FOLDER

_FOLD = re.compile(r"(fold_(?:0|[1-9][0-9]*))/(.*)")


@dataclass(frozen=True)
class PartLayout:
    """Where a model lies in an archive, and which files there are of it.

    Parameters
    ----------
    name : str
        As `model_files.ModelPart` names it: its folder below the model's.
    into : str
        Folder below the model's that its files are installed in, with a POSIX path.
    inside : str
        How the path of its folder in the archive ends, whatever leads there. Empty: any folder, known by its files.
    required : tuple of str
        Names of files without which it is none.
    optional : tuple of str
        Names of files that are installed if they are there.
    fold_files : tuple of str
        Names of files that each of its folders ``fold_0``, ``fold_1``, … must have. Empty: it has no folds; otherwise
        one at least.
    """

    name: str
    into: str
    inside: str
    required: tuple[str, ...]
    optional: tuple[str, ...] = ()
    fold_files: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Check what the code relies on."""
        assert self.required
        assert not any("/" in name for name in (*self.required, *self.optional, *self.fold_files))

    @property
    def sign(self) -> str:
        """What an archive has if it has this."""
        return f"{self.inside}/" if self.inside else ", ".join(self.required)

    def needs(self, name: str) -> bool:
        """Tell whether a file is installed.

        Parameters
        ----------
        name : str
            Its POSIX path below the folder of this model.
        """
        fold = _FOLD.fullmatch(name)
        return name in self.required or name in self.optional or (fold is not None and fold[2] in self.fold_files)

    def missing(self, names: Collection[str]) -> list[str]:
        """Return the files that a folder lacks.

        Parameters
        ----------
        names : collection of str
            POSIX paths of all files below the folder.
        """
        needed = list(self.required)
        if self.fold_files:
            folds = sorted({fold[1] for name in names if (fold := _FOLD.fullmatch(name))}) or ["fold_0"]
            needed += [f"{fold}/{file}" for fold in folds for file in self.fold_files]
        return [name for name in needed if name not in names]


BPREG_LAYOUT = PartLayout(name="bpreg", into="bpreg", inside="", required=BPREG_FILES)
"""A body part regression model."""


def nnunet_layout(configuration: str) -> PartLayout:
    """Return the layout of one configuration in an archive that nnU-Net v1 exported.

    Parameters
    ----------
    configuration : str
        2d, 3d_lowres or 3d_fullres.
    """
    folder = f"{configuration}/{TRAINER_FOLDER.as_posix()}"
    return PartLayout(
        name=f"nnUNet/{configuration}",
        into=f"nnUNet/{folder}",
        inside=folder,
        required=("plans.pkl",),
        optional=(POSTPROCESSING,),
        fold_files=(CHECKPOINT, f"{CHECKPOINT}.pkl"),
    )


NNUNET_LAYOUTS = tuple(nnunet_layout(configuration) for configuration in CONFIGURATIONS)
"""An nnU-Net v1 model; its cascade, which needs the result of another configuration as input, is none of them."""
