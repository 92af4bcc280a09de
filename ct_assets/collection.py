"""The Collection model: what one YAML file in `collections/` may say, with errors that name file, key and remedy."""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, ValidationError, ValidationInfo, field_validator, model_validator

from ct_assets.collection_errors import explanations
from ct_assets.cron import PATTERN, checked_cron
from ct_assets.organs import Configuration, Organ
from ct_assets.qc_settings import QualityControl
from ct_assets.selection_settings import Selection, StrictSelection
from ct_assets.settings import settings
from ct_assets.source_settings import BigQuerySource, IdcSource, Source
from ct_assets.store.digest import json_digest
from ct_assets.yaml_file import read_yaml
from ct_assets.yaml_model import CollectionError, StrictModel

Compatibility = Literal["corrected", "published"]
ShapeEngine = Literal["fast", "pyradiomics"]

IDC_VIEWER = "https://viewer.imaging.datacommons.cancer.gov/viewer/{study}?seriesInstanceUID={series}"
"""The OHIF viewer of the NCI Imaging Data Commons, which shows any series of its collections without an account."""

DEMONSTRATION_MODEL = "demo"
"""Name of the demonstration models in the model store."""


SEG_DESCRIPTION = "Segmentation"
"""SeriesDescription of experts' SEGs where a collection names none: that of NSCLC-Radiomics."""


class OrganSegmentation(StrictModel):
    """Which nnU-Net v1 models segment the organs."""

    model: str = Field(description="Model folder below <root>/models: demo or segthor.", pattern=r"^[a-z0-9_]+$")
    configurations: tuple[Configuration, ...] = Field(default=("3d_fullres",), min_length=1)
    preset: Literal["full", "fast"] = Field(
        default="full", description="full: all folds, mirrored; fast: fold 0, not mirrored. Keys below go before it."
    )
    folds: tuple[Annotated[int, Field(ge=0)], ...] | None = Field(
        default_factory=lambda others: (0,) if others.get("preset") == "fast" else None,
        min_length=1,
        description="Folds to average; null: all there are.",
    )
    tta: bool = Field(
        default_factory=lambda others: others.get("preset") != "fast",
        description="Test-time augmentation by mirroring.",
    )
    step_size: float = Field(default=0.5, gt=0, le=1, description="Sliding window step as a fraction of the patch.")
    precision: Literal["mixed", "float32"] = Field(
        default="mixed", description="mixed: half precision on a GPU, as nnUNet_predict; float32: everywhere."
    )

    @field_validator("folds")
    @classmethod
    def _in_order(cls, value: tuple[int, ...] | None) -> tuple[int, ...] | None:
        return None if value is None else tuple(sorted(value))

    @field_validator("configurations", "folds")
    @classmethod
    def _unique(cls, value: tuple[Any, ...] | None) -> tuple[Any, ...] | None:
        if value is not None and len(set(value)) != len(value):
            message = "each only once"
            raise ValueError(message)
        return value


class BodyPartRegression(StrictModel):
    """Which body part regression model scores the slices."""

    model: str = Field(description="Model folder below <root>/models: demo or bpr_public.", pattern=r"^[a-z0-9_]+$")


class ShapeMeasurement(StrictModel):
    """What measures the shape of the organs."""

    engine: ShapeEngine = Field(
        default="fast", description="fast: pyradiomics' values in a thirtieth of its time; pyradiomics: itself."
    )


class Expert(StrictModel):
    """Expert segmentations, found as DICOM SEG or RTSTRUCT that refer to the CT series."""

    modality: Literal["SEG", "RTSTRUCT"] = Field(default="SEG", description="Kind of file that the expert drew.")
    series_description: str | None = Field(
        default_factory=lambda others: SEG_DESCRIPTION if others.get("modality") == "SEG" else None,
        min_length=1,
        description="SeriesDescription of the expert's file; default: Segmentation for SEG, any for RTSTRUCT.",
    )
    structures: dict[Organ, str] = Field(
        description="Organ -> SegmentLabel in the expert's SEG, or ROIName in the RTSTRUCT."
    )
    lungs: tuple[str, ...] = Field(default=(), description="SegmentLabels, or ROINames, that together are the lungs.")

    @field_validator("series_description")
    @classmethod
    def _told_for_seg(cls, value: str | None, others: ValidationInfo) -> str | None:
        if value is None and others.data.get("modality") == "SEG":
            message = (
                "give the SeriesDescription of the expert's SEG, which tells it from the SEGs of others; only "
                "modality: RTSTRUCT does without"
            )
            raise ValueError(message)
        return value


class ReportValidation(StrictModel):
    """Which reports DicomSRValidator checks before a release: up to a second of a core for every report."""

    all_up_to: int = Field(default=1000, ge=0, description="Series up to which the reports of all are validated.")
    sample: int = Field(default=200, ge=1, description="Series in the sample of a larger collection.")
    seed: int = Field(default=0, description="Chooses the sample; another seed gives another one.")


MOST_ATTEMPTS = 20
"""Most failed runs of a series that a collection may let the schedule try again."""


class Schedule(StrictModel):
    """When the next missing series are asked for."""

    cron: Annotated[str, AfterValidator(checked_cron)] = Field(
        default="0 2 * * *", pattern=PATTERN, description="Cron expression, UTC."
    )
    batch: int = Field(default=25, ge=1, le=1000, description="Series asked for at a time.")
    attempts: int = Field(
        default=3,
        ge=1,
        le=MOST_ATTEMPTS,
        description="Failed runs of a series, since its last success, after which it is left.",
    )


class Collection(StrictModel):
    """One image collection: where its DICOM is, how it is selected, which models annotate it, how QC judges it."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]{0,62}$", description="Name in asset keys and paths.")
    title: str
    demonstration: bool = Field(default=False, description="Made by demonstration models: everything says so.")
    source: Source
    selection: Selection = StrictSelection()
    organ_segmentation: OrganSegmentation
    body_part_regression: BodyPartRegression
    shape_features: ShapeMeasurement = ShapeMeasurement()
    expert: Expert | None = None
    qc: QualityControl = QualityControl()
    schedule: Schedule = Schedule()
    report_validation: ReportValidation = ReportValidation()
    compatibility: Compatibility = "corrected"
    deflate: bool = Field(
        default=False, description="Write SEGs as Deflated Explicit VR Little Endian: a hundredth of the size."
    )
    shards: int = Field(default=1, ge=1, le=1024, description="Partition sets; above 1 a UID hash chooses one.")
    viewer_url: str | None = Field(
        default_factory=lambda given: _viewer_of(given.get("source")),
        description="Viewer address with {study} and {series} to be filled in; null: none.",
    )
    citation: str | None = Field(default=None, description="Where the images are from, best as the address of a DOI.")
    licence: str | None = Field(default=None, description="Licence of the images, and of a release of annotations.")
    attribution: str | None = Field(default=None, description="Whom a release credits; default: title and citation.")

    @model_validator(mode="after")
    def _demonstration_says_so(self) -> "Collection":
        used = {self.organ_segmentation.model, self.body_part_regression.model}
        if DEMONSTRATION_MODEL in used and not self.demonstration:
            message = f"demonstration must be true where a model is {DEMONSTRATION_MODEL}"
            raise ValueError(message)
        return self

    @property
    def models(self) -> tuple[str, ...]:
        """Names of the label maps, one per configuration."""
        return self.organ_segmentation.configurations


def _viewer_of(source: object) -> str | None:
    """Return where the series of a source can be looked at without further settings."""
    return IDC_VIEWER if isinstance(source, IdcSource | BigQuerySource) else None


def selection_digest(collection: Collection) -> str:
    """Return a digest of the selection of a collection: what was decided by another selection is to be decided anew.

    Parameters
    ----------
    collection : Collection
        The collection.
    """
    return json_digest(collection.selection.model_dump(mode="json"))


def load_collection(path: Path) -> Collection:
    """Read one collection YAML.

    Parameters
    ----------
    path : Path
        YAML file.

    Returns
    -------
    Collection
        The validated collection.

    Raises
    ------
    CollectionError
        If the file cannot be read, is no YAML, or has a key or value that is not allowed.
    """
    content = read_yaml(path)
    if not isinstance(content, dict):
        message = f"{path}: must be a mapping with the keys {', '.join(Collection.model_fields)}"
        raise CollectionError(message)
    try:
        collection = Collection.model_validate(content)
    except ValidationError as error:
        message = f"{path}: {explanations(Collection, content, error)}"
        raise CollectionError(message) from error
    if collection.name != path.stem:
        message = f"{path}: key name: is {collection.name!r} but must equal the file's name, {path.stem!r}"
        raise CollectionError(message)
    return collection


def load_collections(folder: Path | None = None) -> list[Collection]:
    """Read all collections of a folder, sorted by name.

    Parameters
    ----------
    folder : Path, optional
        Folder of YAML files; default: the installation's.

    Raises
    ------
    CollectionError
        If one file cannot be used.
    """
    folder = folder or settings().collections
    return [load_collection(path) for path in sorted(folder.glob("*.yaml"))]
