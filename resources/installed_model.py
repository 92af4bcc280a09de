"""A model that is installed in the model store: with which weights, and where they came from."""

from dataclasses import dataclass
from pathlib import Path

from resources.model_catalogue import CatalogueModel
from resources.model_files import model_parts
from resources.model_progress import Report, Step
from resources.model_source import ModelSource, read_source


@dataclass(frozen=True)
class Installation:
    """A model that is installed.

    `new` tells whether this call did it, `weights` has the digest of each model in the folder, `absent` the names of
    those that there could be, and `source` is None where nobody wrote down where it came from.
    """

    folder: Path
    new: bool
    weights: dict[str, str]
    absent: tuple[str, ...]
    source: ModelSource | None

    @property
    def changed(self) -> bool:
        """Tell whether the weights are others than those that were installed."""
        return self.source is not None and self.source.weights_sha256 != self.weights


def is_installed(model: CatalogueModel, folder: Path) -> bool:
    """Tell whether a folder has any part of a model; not every archive has all of them.

    Parameters
    ----------
    model : CatalogueModel
        The model.
    folder : Path
        Its folder, which need not exist.
    """
    present = {part.name for part in model_parts(folder)}
    return any(part.name in present for part in model.parts)


def installation(model: CatalogueModel, folder: Path, weights: dict[str, str], *, new: bool) -> Installation:
    """Return what is installed.

    Parameters
    ----------
    model : CatalogueModel
        The model.
    folder : Path
        Its folder.
    weights : dict
        As of `weights_digests`.
    new : bool
        Whether this call did it.
    """
    absent = tuple(part.name for part in model.parts if part.name not in weights)
    return Installation(folder, new, weights, absent, read_source(folder))


def weights_digests(folder: Path, report: Report) -> dict[str, str]:
    """Return the digest of each model in a folder by its name, and tell how far it has come; reads all weights.

    Parameters
    ----------
    folder : Path
        Folder of a name in the model store.
    report : callable
        Called as they are read.
    """
    parts = model_parts(folder)
    done, total = 0, sum(part.size for part in parts)

    def read(size: int) -> None:
        nonlocal done
        done += size
        report(Step.DIGEST, done, total)

    return {part.name: part.reported_digest(read) for part in parts}
