"""How metrics and shape features are distributed over a cohort, by organ and model."""

import pandas as pd

from ct_assets.qc_report.distribution import distribution
from ct_assets.store.tables import DISTRIBUTIONS

_KEY = ["metric", "subject", "model", "unit"]


def distributions(qc: pd.DataFrame, features: pd.DataFrame) -> pd.DataFrame:
    """Summarize every metric and shape feature that has values.

    Parameters
    ----------
    qc : DataFrame
        Rows of `ct_assets.store.tables.QC`.
    features : DataFrame
        Rows of `ct_assets.store.tables.SHAPE_FEATURES`.

    Returns
    -------
    DataFrame
        `ct_assets.store.tables.DISTRIBUTIONS`; the metric of a shape feature is its name.
    """
    renamed = features.rename(columns={"feature": "metric", "organ": "subject"})
    values = pd.concat([qc[[*_KEY, "value"]], renamed[[*_KEY, "value"]]], ignore_index=True)
    values = values[values["value"].notna()]
    rows = []
    for key, group in values.groupby(_KEY, sort=True):
        found = distribution(group["value"])
        row = dict(zip(_KEY, key, strict=True))
        rows.append({**row, **{name: getattr(found, name) for name in DISTRIBUTIONS.columns if name not in row}})
    return pd.DataFrame(rows, columns=list(DISTRIBUTIONS.columns)) if rows else DISTRIBUTIONS.empty()
