"""The resources of this installation, from its settings."""

import dagster as dg

from ct_assets.settings import settings
from resources.compute import Compute
from resources.dicom_source import DicomSource
from resources.model_store import ModelStore
from resources.series_store import SeriesStore
from resources.warehouse import Warehouse
from resources.webhook import Webhook


def resources() -> dict[str, dg.ConfigurableResource]:
    """Return the resources of this installation, from its settings."""
    return {
        "dicom_source": DicomSource(
            s3_endpoint=settings().s3_endpoint,
            gcs_endpoint=settings().gcs_endpoint,
            index_folder=f"{settings().home}/idc",
        ),
        "warehouse": Warehouse(
            project=settings().bigquery_project,
            maximum_gb=settings().bigquery_maximum_gb,
        ),
        "series_store": SeriesStore(root=settings().home, pages_url=settings().pages_url),
        "model_store": ModelStore(root=f"{settings().home}/models"),
        "webhook": Webhook(
            # By name, so that the web UI does not show the address.
            url=dg.EnvVar("CT_ASSETS_WEBHOOK_URL") if settings().webhook_url else None,
            ui_url=settings().ui_url,
        ),
        "compute": Compute(kind=settings().compute, ray_address=settings().ray_address),
    }
