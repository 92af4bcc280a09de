"""The models that others published and ct-assets can fetch: where they are, and what of their archives is installed."""

from dataclasses import dataclass

from resources.model_files import BODY_PART_REGRESSION, SEGMENTATION
from resources.model_layout import BPREG_LAYOUT, NNUNET_LAYOUTS, PartLayout

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
    version : str or None
        As its authors count; None where they do not.
    records : tuple of int
        Zenodo records that hold the archive; the first that gives it is taken.
    archive : str
        Name of the ZIP file in them.
    parts : tuple of PartLayout
        Models that the archive may have, of which those that it has are installed.
    largest : int
        Most bytes that the archive may hold, and be, unpacked.
    """

    name: str
    kind: str
    version: str | None
    records: tuple[int, ...]
    archive: str
    parts: tuple[PartLayout, ...]
    largest: int

    def __post_init__(self) -> None:
        """Check what the code relies on."""
        assert self.records
        assert self.parts


CATALOGUE = {
    model.name: model
    for model in (
        CatalogueModel(
            name="bpr_public",
            kind=BODY_PART_REGRESSION,
            version="1.1",
            records=(5113483,),
            archive="public_bpr_model.zip",
            parts=(BPREG_LAYOUT,),
            largest=2 * _GB,
        ),
        CatalogueModel(
            name="segthor",
            kind=SEGMENTATION,
            version=None,
            records=(4003545, 4485926),
            archive="Task055_SegTHOR.zip",
            parts=NNUNET_LAYOUTS,
            largest=12 * _GB,
        ),
    )
}
"""What `ct-assets models fetch` knows, by name."""

_REMEDIES = {"demo": "install the demonstration models with: ct-assets demo --models-only"}

KNOWN_KINDS = {
    "demo": f"{BODY_PART_REGRESSION}, {SEGMENTATION}",
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
