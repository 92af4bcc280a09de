"""Collections and cohorts for the tests of this room."""

from pathlib import Path

import pandas as pd
import pyarrow as pa

from ct_assets.cohort_table.index.header_index import index_folder
from ct_assets.cohort_table.selection import cohort, selection_flow
from ct_assets.cohort_table.source.folder import judge_instances
from ct_assets.collection import Collection


def collection_of(source: dict[str, object] | None = None, expert: object = None, **selection: object) -> Collection:
    """A collection with some selection; its source is a folder that no test reads, unless one is given."""
    return Collection.model_validate(
        {
            "name": "mine",
            "title": "Mine",
            "demonstration": True,
            "source": source or {"kind": "folder", "path": "/unused"},
            "selection": selection,
            "organ_segmentation": {"model": "demo"},
            "body_part_regression": {"model": "demo"},
            "expert": expert,
        }
    )


def selected(instances: pa.Table, collection: Collection) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Cohort table and selection flow of a header index."""
    judged = judge_instances(collection, instances)
    table = cohort(
        judged.series, judged.criteria, collection.selection, collection=collection.name, experts=judged.experts
    )
    return table, selection_flow(judged.series, judged.criteria)


def selected_in(folder: Path, collection: Collection) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Cohort table and selection flow of a folder."""
    return selected(index_folder(folder), collection)
