"""What a cohort says about the values of one of its series: distributions.parquet, which cohort_report writes."""

import logging
from pathlib import Path

import pandas as pd
import pyarrow as pa

from ct_assets.qc_report.distribution import Distribution
from ct_assets.store.tables import DISTRIBUTIONS

SMALLEST_COHORT = 5
"""Fewest series of a cohort that say anything about another."""

logger = logging.getLogger(__name__)


def read_distributions(path: Path) -> pd.DataFrame:
    """Read the distributions of a cohort.

    Parameters
    ----------
    path : Path
        distributions.parquet.

    Returns
    -------
    DataFrame
        `ct_assets.store.tables.DISTRIBUTIONS`; empty before the first cohort_report, and where the file cannot be read:
        the next cohort_report makes it anew, and until then the published reference takes its place.
    """
    if not path.is_file():
        return DISTRIBUTIONS.empty()
    try:
        return DISTRIBUTIONS.read(path)
    except (OSError, ValueError, pa.ArrowException) as error:
        logger.warning("distributions of the cohort left out: %s", error)
        return DISTRIBUTIONS.empty()


def by_key(table: pd.DataFrame) -> dict[tuple[str, str, str], Distribution]:
    """Return the distributions of a cohort by metric, subject and model.

    Parameters
    ----------
    table : DataFrame
        `ct_assets.store.tables.DISTRIBUTIONS`.
    """
    names = ("n", "q1", "median", "q3", "p05", "p95", "minimum", "maximum")
    return {
        (str(row["metric"]), str(row["subject"]), str(row["model"])): Distribution(*(row[name] for name in names))
        for row in table.to_dict("records")
    }
