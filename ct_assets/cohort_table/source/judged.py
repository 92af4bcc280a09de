"""What every source gives: its CT series judged, and what is needed to describe and to fetch them."""

from dataclasses import dataclass, field
from typing import Any

import pandas as pd
import pyarrow as pa

from ct_assets.cohort_table.criteria.criterion import Criterion


class NoCtError(ValueError):
    """A source that holds no CT image; the message says what was found."""


@dataclass(frozen=True)
class Judged:
    """Judged series of a source.

    Attributes
    ----------
    series : DataFrame
        Measures and outcomes, one row per CT series.
    criteria : tuple of Criterion
        What they were judged by, in order.
    origin : dict
        Where they come from, for the manifest: kind, collection, versions.
    instances : pyarrow.Table, optional
        Header index (`INSTANCES`), where files were read.
    remote : DataFrame, optional
        Where files can be fetched (`REMOTE_SERIES`), where they can.
    files : DataFrame, optional
        Objects of the selected series that the source knows: SeriesInstanceUID, file, bytes, md5.
    experts : dict
        SeriesInstanceUID -> files or folders of expert segmentations, relative to the source.
    notes : tuple of str
        What a person should know, such as an index that could not be had.
    """

    series: pd.DataFrame
    criteria: tuple[Criterion, ...]
    origin: dict[str, Any]
    instances: pa.Table | None = None
    remote: pd.DataFrame | None = None
    files: pd.DataFrame | None = None
    experts: dict[str, list[str]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
