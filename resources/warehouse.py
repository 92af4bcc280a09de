"""Resource warehouse: runs SQL in BigQuery."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import dagster as dg
from pydantic import Field

if TYPE_CHECKING:
    import pandas as pd

logger = logging.getLogger(__name__)

PATIENCE_SECONDS = 60.0
"""How long BigQuery is asked to take a query; google-cloud-bigquery would try for ten minutes, without a word."""

_BYTES_PER_GB = 10**9


class WarehouseError(RuntimeError):
    """A query that BigQuery did not answer; the message says what to set or to change."""


class Warehouse(dg.ConfigurableResource):
    """BigQuery through dagster-gcp, with a limit on what a query may read, because reading is what is paid for.

    Google's packages are imported by the first query: every run loads the definitions, and few ask BigQuery.
    """

    project: str | None = None
    credentials: str | None = Field(default=None, description="Key of a service account, in base64; else the default.")
    maximum_gb: float = 500.0

    def query(self, sql: str) -> "pd.DataFrame":
        """Return the rows of a query.

        Parameters
        ----------
        sql : str
            Query in BigQuery's SQL.

        Raises
        ------
        WarehouseError
            If BigQuery cannot be reached, there are no credentials or no project, the query would read more than
            `maximum_gb`, or it fails.
        """
        from dagster_gcp import BigQueryResource
        from google.cloud import bigquery
        from google.cloud.bigquery.retry import DEFAULT_JOB_RETRY, DEFAULT_RETRY

        resource = BigQueryResource(project=self.project, gcp_credentials=self.credentials)
        config = bigquery.QueryJobConfig(maximum_bytes_billed=int(self.maximum_gb * _BYTES_PER_GB))
        with self._explained(), resource.get_client() as client:
            patience = DEFAULT_RETRY.with_timeout(PATIENCE_SECONDS)
            job = client.query(sql, job_config=config, retry=patience, job_retry=None)
            rows = job.result(job_retry=DEFAULT_JOB_RETRY.with_timeout(PATIENCE_SECONDS))
            # Plain pages of rows: BigQuery's storage interface would need a second permission.
            frame: pd.DataFrame = rows.to_arrow(create_bqstorage_client=False).to_pandas()
            read = (job.total_bytes_processed or 0) / _BYTES_PER_GB
            logger.info("BigQuery job %s: %d rows, %.1f GB read", job.job_id, len(frame), read)
        return frame

    @contextmanager
    def _explained(self) -> Iterator[None]:
        from google.api_core.exceptions import GoogleAPIError, RetryError
        from google.auth.exceptions import GoogleAuthError, TransportError
        from requests import RequestException

        try:
            yield
        except (RequestException, RetryError, TransportError) as error:
            message = f"BigQuery cannot be reached ({error}); check the network and try again"
            raise WarehouseError(message) from error
        except GoogleAuthError as error:
            message = (
                f"no credentials for BigQuery ({error}); run `gcloud auth application-default login`, or set "
                "GOOGLE_APPLICATION_CREDENTIALS to the key file of a service account"
            )
            raise WarehouseError(message) from error
        except OSError as error:
            # google-cloud raises OSError where it cannot find a project.
            message = (
                f"BigQuery needs a project to bill ({error}); set CT_ASSETS_BIGQUERY_PROJECT to the id of your "
                "Google Cloud project"
            )
            raise WarehouseError(message) from error
        except GoogleAPIError as error:
            message = (
                f"BigQuery refused the query ({error}); check the table in the collection's source, your permissions, "
                f"and CT_ASSETS_BIGQUERY_MAXIMUM_GB, which is {self.maximum_gb:g}"
            )
            raise WarehouseError(message) from error
