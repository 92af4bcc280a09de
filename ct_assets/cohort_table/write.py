"""Everything that cohort_table writes, from judged series."""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from ct_assets.cohort_table.index.kept import write_index
from ct_assets.cohort_table.manifest import manifest, s5cmd_manifest
from ct_assets.cohort_table.selection import characteristics, cohort, selection_flow
from ct_assets.cohort_table.source.judged import Judged
from ct_assets.collection import Collection
from ct_assets.store.atomic import write_json, write_text
from ct_assets.store.changed_series import ChangedSeries, read_changed_series
from ct_assets.store.paths import CohortFolder
from ct_assets.store.record import RecordError
from ct_assets.store.tables import CHARACTERISTICS, COHORT, REMOTE_SERIES, SELECTION_FLOW


def write_cohort(
    judged: Judged,
    collection: Collection,
    folder: CohortFolder,
    source: Path,
    before: Mapping[str, int] | None = None,
) -> pd.DataFrame:
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
    before : mapping of str to int, optional
        Selected series of the last cohort table with their instances.

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
    _note_changes(folder.changed_series, before or {}, table)
    COHORT.write(table, folder.cohort)  # last: what others read first
    return table


def _note_changes(path: Path, before: Mapping[str, int], cohort: pd.DataFrame) -> None:
    """Note the series that have grown or shrunk; if what was noted before is lost, all of them may have."""
    selected = cohort[cohort["selected"] & cohort["instances"].notna()]
    counts = selected.set_index("SeriesInstanceUID")["instances"]
    now = {str(uid): int(count) for uid, count in counts.items()}
    try:
        changed = read_changed_series(path).after(before, now)
    except RecordError:
        changed = ChangedSeries(instances=now)
    changed.write(path)
