"""What reviewers say of each finding of a series."""

from collections.abc import Iterable

import pandas as pd
import pyarrow as pa

from ct_assets.review.digests import Judgeable, read_judgeable
from ct_assets.review.history import series_reviews
from ct_assets.review.state import standing
from ct_assets.review.verdict import Verdict
from ct_assets.store.paths import CollectionFolder

UNKNOWN = "unknown: damaged history"
"""State of the findings of a series whose history of reviews cannot be read."""


def finding_states(rows: pd.DataFrame, verdicts: Iterable[Verdict], now: Judgeable) -> list[str]:
    """Return the state of each finding of one series.

    Parameters
    ----------
    rows : DataFrame
        Rows of `ct_assets.store.tables.QC`.
    verdicts : iterable of Verdict
        Verdicts on the series, oldest first.
    now : Judgeable
        What there is in the series now.
    """
    given = tuple(verdicts)
    return [
        standing(given, now, str(model) or None, str(subject) or None).state.value
        for model, subject in rows[["model", "subject"]].itertuples(index=False)
    ]


def read_states(rows: pd.DataFrame, store: CollectionFolder, series_instance_uid: str) -> list[str]:
    """Return the state of each finding of one series, by the verdicts in the store.

    Parameters
    ----------
    rows : DataFrame
        Rows of `ct_assets.store.tables.QC`.
    store : CollectionFolder
        The collection.
    series_instance_uid : str
        The series.

    Returns
    -------
    list of str
        Values of `ct_assets.review.state.State`, or `UNKNOWN` where a verdict or what was judged cannot be read.
    """
    try:
        verdicts = series_reviews(store, series_instance_uid)
        now = read_judgeable(store.series(series_instance_uid)) if verdicts else Judgeable()
    except (OSError, ValueError, pa.ArrowException):
        return [UNKNOWN] * len(rows)
    return finding_states(rows, verdicts, now)
