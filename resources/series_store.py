"""Resource series_store: the folders of a collection below the root of everything made."""

from pathlib import Path
from urllib.parse import quote

import dagster as dg
from pydantic import Field

from ct_assets.store.paths import CollectionFolder, SeriesFolder


class SeriesStore(dg.ConfigurableResource):
    """Where the files of the assets are written and read.

    `folders` puts a collection elsewhere than below the root; `pages_url` is the address that the root is served at.
    """

    root: str
    pages_url: str | None = None
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

    def link(self, path: Path) -> dg.MetadataValue[str | None]:
        """Return where a file can be opened, for the metadata of what is shown in the UI.

        Parameters
        ----------
        path : Path
            File of a collection.

        Returns
        -------
        MetadataValue
            A link where the root is served, which `make ui` does; otherwise the path.
        """
        root = Path(self.root)
        if self.pages_url is None or not path.is_relative_to(root):
            return dg.MetadataValue.path(str(path))
        return dg.MetadataValue.url(f"{self.pages_url.rstrip('/')}/{quote(path.relative_to(root).as_posix())}")
