"""The models that others published and ct-assets can fetch: where they are, and what of their archives is installed."""

from dataclasses import dataclass
from pathlib import PurePosixPath

from resources.model_files import BODY_PART_REGRESSION, BPREG_FILES, SEGMENTATION

_GB = 10**9


@dataclass(frozen=True)
class CatalogueModel:
    """A published model, an archive on Zenodo.

    Parameters
    ----------
    name : str
        Its folder in the model store, and its name in a collection's YAML.
    kind : str
        What it does.
    version : str
        As its authors count.
    records : tuple of int
        Zenodo records that hold the archive; the first that gives it is taken.
    archive : str
        Name of the ZIP file in them.
    required : tuple of str
        Files, with POSIX paths, by which the model's folder in the archive is found, whatever that is called.
    into : str
        Folder below the model's that they are installed in.
    whole : bool
        Install all that lies in that folder of the archive, not only `required`.
    largest : int
        Most bytes that the archive may hold, and be, unpacked.
    """

    name: str
    kind: str
    version: str
    records: tuple[int, ...]
    archive: str
    required: tuple[str, ...]
    into: str
    largest: int
    whole: bool = False

    def __post_init__(self) -> None:
        """Check what the code relies on."""
        assert self.records
        assert self.required
        assert PurePosixPath(self.into).name == self.into


CATALOGUE = {
    model.name: model
    for model in (
        CatalogueModel(
            name="bpr_public",
            kind=BODY_PART_REGRESSION,
            version="1.1",
            records=(5113483,),
            archive="public_bpr_model.zip",
            required=BPREG_FILES,
            into="bpreg",
            largest=2 * _GB,
        ),
    )
}
"""What `ct-assets models fetch` knows, by name."""

_REMEDIES = {
    "demo": "install the demonstration models with: ct-assets demo --models-only",
    "segthor": "download Task055_SegTHOR (Zenodo record 4003545) and unpack it there; see docs/models.md",
}

KNOWN_KINDS = {
    "demo": f"{BODY_PART_REGRESSION}, {SEGMENTATION}",
    "segthor": SEGMENTATION,
    **{name: model.kind for name, model in CATALOGUE.items()},
}
"""Models whose names the command line and the documentation use, with what they do."""


def doi(record: int) -> str:
    """Return the DOI of a Zenodo record.

    Parameters
    ----------
    record : int
        Number of the record.
    """
    return f"10.5281/zenodo.{record}"


def remedy(name: str) -> str:
    """Return how to get a model that is not installed.

    Parameters
    ----------
    name : str
        Name of the model.
    """
    if name in CATALOGUE:
        return f"fetch it with: ct-assets models fetch {name}"
    return _REMEDIES.get(name, "see docs/models.md for the layout")
