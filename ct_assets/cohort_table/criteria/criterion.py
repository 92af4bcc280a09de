"""A criterion: one named, documented expression over the measures of a series, and the words for one that fails."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import ibis.expr.types as ir

from ct_assets.selection_settings import PublishedSelection, StrictSelection

Settings = StrictSelection | PublishedSelection

ONE_SERIES_PER_STUDY = "one_series_per_study"
"""Criterion that compares the series of a study with each other; its place in a profile is where it is judged."""


@dataclass(frozen=True)
class Criterion:
    """A named criterion.

    Attributes
    ----------
    name : str
        Name in tables and pages.
    description : str
        What a series must be or have: completes "The series …".
    passes : callable
        Measures and settings to a boolean expression: true passes, false fails, null is not evaluated, because the
        source lacks what it needs.
    explain : callable
        A failing row of the measures and the settings to the reason in words.
    applies : callable
        Settings to whether the collection asks for this criterion.
    on_headers : bool
        Whether headers decide it: where it is not evaluated, a series can wait for its download. Nothing is gained by
        waiting where they do not.
    """

    name: str
    description: str
    passes: Callable[[ir.Table, Any], ir.BooleanValue]
    explain: Callable[[Any, Any], str]
    applies: Callable[[Any], bool] = lambda _: True
    on_headers: bool = True
