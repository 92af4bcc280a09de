"""Resource dicom_source: the DICOM files of a collection, in a folder or fetched into one from public buckets."""

from collections.abc import Callable, Sequence
from pathlib import Path

import dagster as dg

from ct_assets.collection import Collection
from ct_assets.source_settings import FolderSource
from resources.cloud_clients import Endpoints
from resources.fetch_progress import Progress
from resources.series_download import Fetched, RemoteSeries, fetch_file, fetch_series

_DEMO = "demo"


class SourceUnavailableError(FileNotFoundError):
    """DICOM files that are not within reach; the message says how to get them there."""


class DicomSource(dg.ConfigurableResource):
    """Folders of DICOM files; where a collection lies in public buckets, its folder is a mirror that is filled lazily.

    Attributes
    ----------
    s3_endpoint, gcs_endpoint : str, optional
        Addresses of other servers than those of AWS and Google Cloud.
    index_folder : str
        Folder for the indexes of the Imaging Data Commons that its package does not hold.
    """

    s3_endpoint: str | None = None
    gcs_endpoint: str | None = None
    index_folder: str = "idc"

    def folder(self, collection: Collection) -> Path:
        """Return the folder that holds the files of a collection; a mirror need not exist yet.

        Parameters
        ----------
        collection : Collection
            The collection.

        Raises
        ------
        SourceUnavailableError
            If a folder of files does not exist.
        """
        folder = collection.source.folder
        if folder.is_dir() or not isinstance(collection.source, FolderSource):
            return folder
        if collection.name == _DEMO:
            remedy = "make the demo collection with: ct-assets demo"
        else:
            remedy = f"put the DICOM files there, or change source.path in collections/{collection.name}.yaml"
        message = f"collection {collection.name}: folder {folder} does not exist; {remedy}"
        raise SourceUnavailableError(message)

    def fetch(
        self,
        series: Sequence[RemoteSeries],
        folder: Path,
        *,
        workers: int = 16,
        progress: Callable[[Progress], None] | None = None,
    ) -> list[Fetched]:
        """Fetch series from public buckets into `folder/<SeriesInstanceUID>`, each completely or not at all.

        Parameters
        ----------
        series : sequence of RemoteSeries
            What to fetch; what is there already is not fetched again.
        folder : Path
            Mirror.
        workers : int, default 16
            Objects fetched at a time.
        progress : callable, optional
            Told how far it is.

        Returns
        -------
        list of Fetched
            One per series; a failure is one of them, with the reason.
        """
        return fetch_series(series, folder, endpoints=self._endpoints, workers=workers, progress=progress)

    def idc_index_file(self, url: str) -> Path:
        """Return the local file of an index of the Imaging Data Commons, fetched once and checked by its SHA-256.

        Parameters
        ----------
        url : str
            Address of the Parquet file; its SHA-256 is beside it.

        Raises
        ------
        RemoteError
            If it can neither be found here nor be fetched.
        """
        target = Path(self.index_folder, *url.rpartition("://")[2].split("/")[1:])
        if not target.is_file():
            digest = target.with_name(target.name + ".sha256")
            fetch_file(f"{url}.sha256", digest, endpoints=self._endpoints)
            expected = digest.read_text(encoding="ascii").split()[0]
            fetch_file(url, target, endpoints=self._endpoints, sha256=expected)
        return target

    @property
    def _endpoints(self) -> Endpoints:
        return Endpoints(s3=self.s3_endpoint, gs=self.gcs_endpoint)
