"""How far outside its limits a value is, so that values of different metrics can be ranked."""

import numpy as np
import pandas as pd


def severity(qc: pd.DataFrame) -> pd.Series:
    """Return the distance from each value to the nearest limit it breaks, as a share of what is allowed.

    The share is of the width of the allowed range, or of the limit itself where there is only one: a Dice of 0.39
    where 0.78 is asked for and a missing organ are 0.5 and 1 outside.

    Parameters
    ----------
    qc : DataFrame
        Rows of `ct_assets.store.tables.QC`.

    Returns
    -------
    Series of float
        With the index of `qc`; 0 within the limits, and where there is no value or limit.
    """
    value, lower, upper = (qc[column].to_numpy(dtype=float) for column in ("value", "lower", "upper"))
    beyond = np.fmax(np.fmax(lower - value, value - upper), 0.0)
    width = np.where(upper > lower, upper - lower, np.nan)  # none where one end is, or the range is a point
    scale = np.where(np.isnan(width), np.abs(np.fmax(lower, upper)), width)
    return pd.Series(np.nan_to_num(beyond / np.where(scale > 0, scale, 1.0)), index=qc.index)
