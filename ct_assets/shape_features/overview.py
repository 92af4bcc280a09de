"""The shape of each organ at a glance, for the web UI."""

import pandas as pd

_SHOWN = {
    "MeshVolume": ("volume (mL)", 0.001, ".1f"),
    "Maximum3DDiameter": ("diameter (mm)", 1.0, ".1f"),
    "Sphericity": ("sphericity", 1.0, ".3f"),
}
"""Feature to its title, what it is multiplied by, and format."""


def shape_overview(features: pd.DataFrame) -> str:
    """Return a row per model and organ: three features, parts, where the image cuts it off, why it was not measured.

    Parameters
    ----------
    features : DataFrame
        Rows of `ct_assets.store.tables.SHAPE_FEATURES` of a series.

    Returns
    -------
    str
        A table in Markdown.
    """
    rows = []
    for (model, _, organ), group in features.groupby(["model", "label", "organ"], sort=False):
        values = group.set_index("feature")["value"]
        first = group.iloc[0]
        rows.append(
            {
                "model": model,
                "organ": organ,
                **{title: values[feature] * scale for feature, (title, scale, _) in _SHOWN.items()},
                "parts": first["components"],
                "touches the border": ", ".join(first["at_border"]),
                "not measured because": first["reason"] or "",
            }
        )
    formats = ["", "", *(form for _, _, form in _SHOWN.values()), "", "", ""]
    table: str = pd.DataFrame(rows).to_markdown(index=False, floatfmt=formats, missingval="")
    return table
