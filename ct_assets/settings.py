"""Where things live and how work is computed: the only place that reads the environment."""

from functools import lru_cache
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

PROJECT_ROOT = Path(__file__).resolve().parent.parent
"""The checkout: holds `collections/`, `dagster.yaml` and `workspace.yaml`."""


class Settings(BaseSettings):
    """Settings of one installation, read from ``CT_ASSETS_*`` environment variables."""

    model_config = SettingsConfigDict(
        env_prefix="CT_ASSETS_",
        extra="ignore",
        hide_input_in_errors=True,  # one of them is a secret
    )

    home: str = Field(
        default=str(PROJECT_ROOT / "data"),
        description="Root of everything made: a folder.",
    )
    state: Path = Field(
        default=PROJECT_ROOT / ".state",
        description="Local folder for Dagster's own state: runs, events, logs.",
    )
    collections: Path = Field(
        default=PROJECT_ROOT / "collections",
        description="Folder of the collection YAML files.",
    )
    compute: Literal["in_process", "ray"] = Field(
        default="in_process",
        description="Where models stay loaded: in this process, or in resident Ray actors.",
    )
    ray_address: str = Field(default="auto", description="Address of the Ray cluster that holds the models.")
    device: Literal["auto", "cpu", "cuda"] = Field(
        default="auto", description="Device of the models; auto takes CUDA where there is one."
    )

    pages_url: str | None = Field(
        default=None, pattern=r"^https?://", description="Address that the root is served at, for links in the web UI."
    )
    ui_url: str | None = Field(
        default=None, pattern=r"^https?://", description="Address of the web UI, for links to runs in alarms."
    )
    webhook_url: SecretStr | None = Field(
        default=None, description="Where failed runs are told of, as JSON; a secret. Default: nowhere."
    )
    s3_endpoint: str | None = Field(default=None, description="Address of an S3 server; default: AWS.")
    gcs_endpoint: str | None = Field(default=None, description="Address of a GCS server; default: Google Cloud.")
    zenodo: str = Field(
        default="https://zenodo.org", pattern=r"^https?://", description="Address of Zenodo, or of a server like it."
    )
    bigquery_project: str | None = Field(default=None, description="Google Cloud project that BigQuery bills.")
    bigquery_maximum_gb: float = Field(default=500.0, gt=0, description="Most that one BigQuery query may read, in GB.")

    @field_validator("webhook_url")
    @classmethod
    def _web_address(cls, value: SecretStr | None) -> SecretStr | None:
        if value is None or not value.get_secret_value():  # an empty line in a file of settings
            return None
        if not value.get_secret_value().startswith(("https://", "http://")):
            message = "is no address that begins with https:// or http://"
            raise ValueError(message)
        return value

    @field_validator("home")
    @classmethod
    def _local_folder(cls, value: str) -> str:
        if "://" in value:
            message = f"{value}: object stores are not supported yet; mount it, or give a local folder"
            raise ValueError(message)
        return str(Path(value).expanduser().resolve())


@lru_cache(maxsize=1)
def settings() -> Settings:
    """Return the settings of this process, read once.

    Returns
    -------
    Settings
        The settings in force.
    """
    return Settings()
