"""Expert segmentations of a source: which files or series they are, by the collection's `expert`."""

import ibis.expr.types as ir

from ct_assets.collection import Collection, Expert


def of_expert(table: ir.Table, expert: Expert) -> ir.Table:
    """Keep the files or series that are of the kind an expert drew; which CT they refer to is not asked.

    Parameters
    ----------
    table : ibis Table
        Has `Modality` and `SeriesDescription`.
    expert : Expert
        Names both; without a SeriesDescription any will do.
    """
    found = table.filter(table["Modality"] == expert.modality)
    if expert.series_description is None:
        return found
    return found.filter(found["SeriesDescription"] == expert.series_description)


def expert_files(instances: ir.Table, collection: Collection) -> dict[str, list[str]]:
    """Return the files of expert segmentations by the series that they refer to, sorted.

    Parameters
    ----------
    instances : ibis Table
        Header index.
    collection : Collection
        Its `expert` says what they are; none: there are none.
    """
    if collection.expert is None:
        return {}
    found = of_expert(instances, collection.expert)
    found = found.filter(found["problem"].isnull())
    pairs = found.select("file", uid=found["ReferencedSeriesInstanceUID"].unnest()).order_by("file", "uid")
    files: dict[str, list[str]] = {}
    for row in pairs.to_pyarrow().to_pylist():
        files.setdefault(row["uid"], []).append(row["file"])
    return files


def expert_folders(series: ir.Table, collection: Collection) -> dict[str, list[str]]:
    """Return where the expert segmentations in the study of each CT series will be in a mirror, sorted.

    Parameters
    ----------
    series : ibis Table
        Series of all modalities; reading the segmentations shows which CT they refer to.
    collection : Collection
        Its `expert` says what they are; none: there are none.
    """
    if collection.expert is None:
        return {}
    ct = series.filter(series["Modality"] == "CT").select("SeriesInstanceUID", "StudyInstanceUID")
    drawn = of_expert(series, collection.expert)
    drawn = drawn.select("StudyInstanceUID", drawn=drawn["SeriesInstanceUID"])
    pairs = ct.inner_join(drawn, "StudyInstanceUID").select("SeriesInstanceUID", "drawn")
    folders: dict[str, list[str]] = {}
    for row in pairs.order_by("SeriesInstanceUID", "drawn").to_pyarrow().to_pylist():
        folders.setdefault(row["SeriesInstanceUID"], []).append(row["drawn"])
    return folders
