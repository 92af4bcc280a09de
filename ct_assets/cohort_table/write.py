"""Everything that cohort_table writes, from judged series."""

from pathlib import Path

import pandas as pd

from ct_assets.cohort_table.index.kept import write_index
from ct_assets.cohort_table.manifest import manifest, s5cmd_manifest
from ct_assets.cohort_table.selection import characteristics, cohort, selection_flow
from ct_assets.cohort_table.source.judged import Judged
from ct_assets.collection import Collection
from ct_assets.store.atomic import write_json, write_text
from ct_assets.store.paths import CohortFolder
from ct_assets.store.tables import CHARACTERISTICS, COHORT, REMOTE_SERIES, SELECTION_FLOW


def write_cohort(judged: Judged, collection: Collection, folder: CohortFolder, source: Path) -> pd.DataFrame:
    """Write index, cohort table, flow, characteristics and manifest; what the source has not goes.

    Parameters
    ----------
    judged : Judged
        Judged series.
    collection : Collection
        The collection.
    folder : CohortFolder
        Where to write.
    source : Path
        Folder of the DICOM files.

    Returns
    -------
    DataFrame
        `COHORT` rows.
    """
    table = cohort(
        judged.series, judged.criteria, collection.selection, collection=collection.name, experts=judged.experts
    )
    flow, counts = selection_flow(judged.series, judged.criteria), characteristics(table)
    content = manifest(table, judged, collection)
    if judged.instances is None:
        folder.instances.unlink(missing_ok=True)
    else:
        write_index(judged.instances, folder.instances, source)
    if judged.remote is None:
        folder.remote_series.unlink(missing_ok=True)
        folder.s5cmd_manifest.unlink(missing_ok=True)
    else:
        REMOTE_SERIES.write(judged.remote, folder.remote_series)
    SELECTION_FLOW.write(flow, folder.selection_flow)
    CHARACTERISTICS.write(counts, folder.characteristics)
    write_json(folder.manifest, content)
    if judged.remote is not None:
        write_text(folder.s5cmd_manifest, s5cmd_manifest(content))
    COHORT.write(table, folder.cohort)  # last: what others read first
    return table
