"""Resource series_store: the folders of a collection below the root of everything made."""

from pathlib import Path

import dagster as dg
from pydantic import Field

from ct_assets.store.paths import CollectionFolder, SeriesFolder


class SeriesStore(dg.ConfigurableResource):
    """Where the files of the assets are written and read; `folders` puts a collection elsewhere than below the root."""

    root: str
    folders: dict[str, str] = Field(default_factory=dict)

    def collection(self, name: str) -> CollectionFolder:
        """Return the folder of one collection.

        Parameters
        ----------
        name : str
            Collection name.
        """
        if name in self.folders:
            return CollectionFolder(Path(self.folders[name]))
        return CollectionFolder(Path(self.root) / name)

    def series(self, name: str, series_instance_uid: str) -> SeriesFolder:
        """Return the folder of one series.

        Parameters
        ----------
        name : str
            Collection name.
        series_instance_uid : str
            SeriesInstanceUID; checked before it becomes a path.
        """
        return self.collection(name).series(series_instance_uid)
