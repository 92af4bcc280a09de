"""Manifest: the selected series with their files and sizes, in an order that never changes."""

from typing import Any

import pandas as pd

from ct_assets.cohort_table.selection import ct_images

MANIFEST_VERSION = 1
"""schema_version of manifest.json."""


def manifest(cohort: pd.DataFrame, instances: pd.DataFrame, collection: str) -> dict[str, Any]:
    """Describe the selected series so that the cohort can be reproduced.

    Parameters
    ----------
    cohort : DataFrame
        `COHORT` rows.
    instances : DataFrame
        Header index.
    collection : str
        Collection name.

    Returns
    -------
    dict
        JSON-serializable, sorted by SeriesInstanceUID and file.
    """
    selected = set(cohort.loc[cohort["selected"], "SeriesInstanceUID"])
    images = ct_images(instances)
    images = images[images["SeriesInstanceUID"].isin(selected)].sort_values(["SeriesInstanceUID", "file"])
    series = [
        {
            "SeriesInstanceUID": uid,
            "StudyInstanceUID": rows["StudyInstanceUID"].iloc[0],
            "bytes": int(rows["file_size"].sum()),
            "files": rows["file"].tolist(),
        }
        for uid, rows in images.groupby("SeriesInstanceUID", sort=True)
    ]
    return {"schema_version": MANIFEST_VERSION, "collection": collection, "series": series}


def series_files(instances: pd.DataFrame, series_instance_uid: str) -> list[str]:
    """Return the files of one CT series, relative to the source.

    Parameters
    ----------
    instances : DataFrame
        Header index, or the part of it that holds the series.
    series_instance_uid : str
        SeriesInstanceUID.

    Raises
    ------
    LookupError
        If the index does not know the series.
    """
    images = ct_images(instances[instances["SeriesInstanceUID"] == series_instance_uid])
    if images.empty:
        message = f"series {series_instance_uid} is not in the header index; materialize cohort_table again"
        raise LookupError(message)
    return [str(file) for file in images["file"]]
