"""Where the DICOM of a collection is: key `source` of its YAML."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from ct_assets.yaml_model import StrictModel, expand

_TABLE = r"^[A-Za-z0-9][A-Za-z0-9\-:.]*\.[A-Za-z0-9_]+\.[A-Za-z0-9_]+$"


class FolderSource(StrictModel):
    """DICOM files below a folder."""

    kind: Literal["folder"]
    path: str = Field(description="Folder; ${CT_ASSETS_HOME} and other environment variables are expanded.")

    @property
    def folder(self) -> Path:
        """The folder with its variables expanded."""
        return Path(expand(self.path)).expanduser()


class _Mirrored(StrictModel):
    """Series in public buckets, fetched one by one into a mirror folder when they are needed."""

    collection_id: str = Field(description="IDC's collection_id, such as nsclc_radiomics.", pattern=r"^[a-z0-9_]+$")
    mirror: str = Field(description="Folder that the DICOM files are fetched into; variables are expanded.")
    bucket: Literal["aws", "gcs"] = Field(default="aws", description="Cloud to fetch from; both are free of charge.")

    @property
    def folder(self) -> Path:
        """The mirror with its variables expanded."""
        return Path(expand(self.mirror)).expanduser()


class IdcSource(_Mirrored):
    """A collection of the NCI Imaging Data Commons, known by the series metadata of the package idc-index-data."""

    kind: Literal["idc"]
    geometry_index: bool = Field(
        default=True, description="Preselect also on IDC's geometry index, where it can be downloaded."
    )


class BigQuerySource(_Mirrored):
    """A collection of the NCI Imaging Data Commons, decided on all headers in BigQuery; needs a cloud project."""

    kind: Literal["bigquery"]
    table: str = Field(
        default="bigquery-public-data.idc_current.dicom_all",
        pattern=_TABLE,
        description="Table with the columns of IDC's dicom_all; pin a version such as idc_v23.dicom_all.",
    )


Source = Annotated[FolderSource | IdcSource | BigQuerySource, Field(discriminator="kind")]
