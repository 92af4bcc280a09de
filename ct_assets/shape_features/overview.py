"""The shape of each organ at a glance, for the web UI."""

import pandas as pd

_SHOWN = {
    "MeshVolume": ("volume_ml", 0.001, 2),
    "Maximum3DDiameter": ("diameter_mm", 1, 1),
    "Sphericity": ("sphericity", 1, 3),
}
"""Feature to its title, what it is multiplied by, and decimals."""


def shape_overview(features: pd.DataFrame) -> list[dict[str, str | int | float]]:
    """Return a row per model and organ: three features, parts, where the image cuts it off, why it was not measured.

    Parameters
    ----------
    features : DataFrame
        Rows of `ct_assets.store.tables.SHAPE_FEATURES` of a series.

    Returns
    -------
    list of dict
        Title of each column to its value; an empty text where there is none.
    """
    rows = []
    for (model, organ), group in features.groupby(["model", "organ"], sort=False):
        values = group.set_index("feature")["value"].to_dict()
        first = group.iloc[0]
        shown = {
            title: "" if pd.isna(values[feature]) else round(values[feature] * scale, decimals)
            for feature, (title, scale, decimals) in _SHOWN.items()
        }
        rows.append(
            {
                "model": str(model),
                "organ": str(organ),
                **shown,
                "parts": int(first["components"]),
                "touches the border": ", ".join(first["at_border"]),
                "not measured because": next(iter(group["reason"].dropna()), ""),
            }
        )
    return rows
