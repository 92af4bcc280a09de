"""Resource dicom_source: where the DICOM files of a collection are."""

from pathlib import Path

import dagster as dg

from ct_assets.collection import Collection, IdcSource

_DEMO = "demo"


class SourceUnavailableError(FileNotFoundError):
    """DICOM files that are not within reach; the message says how to get them there."""


class DicomSource(dg.ConfigurableResource):
    """Folders of DICOM files."""

    def folder(self, collection: Collection) -> Path:
        """Return the folder that holds the files of a collection.

        Parameters
        ----------
        collection : Collection
            The collection.

        Raises
        ------
        SourceUnavailableError
            If there is no such folder.
        """
        folder = collection.source.folder
        if folder.is_dir():
            return folder
        if isinstance(collection.source, IdcSource):
            remedy = (
                f"download the series of {collection.source.collection_id} from the Imaging Data Commons into it "
                f"(with the package idc-index: idc download {collection.source.collection_id} --download-dir {folder})"
            )
        elif collection.name == _DEMO:
            remedy = "make the demo collection with: ct-assets demo"
        else:
            remedy = f"put the DICOM files there, or change source.path in collections/{collection.name}.yaml"
        message = f"collection {collection.name}: folder {folder} does not exist; {remedy}"
        raise SourceUnavailableError(message)
