"""What the UI shows of a cohort table: the flow as table and bars, table 1, what changed; as Markdown."""

import html

import pandas as pd

from ct_assets.cohort_table.changes import Changes

_EIGHTHS = " ▏▎▍▌▋▊▉█"
_SERIES_SHOWN = 20
_ROWS_SHOWN = 50
_UNITS = ("B", "kB", "MB", "GB", "TB", "PB")


def flow_markdown(flow: pd.DataFrame) -> str:
    """Return the selection flow as a table with a bar for the series left.

    Parameters
    ----------
    flow : DataFrame
        `SELECTION_FLOW` rows.
    """
    most = max(int(flow["series_left"].max()), 1)
    before = flow["series_left"].shift(fill_value=flow["series_left"].iloc[0])
    shown = pd.DataFrame(
        {
            "The series …": flow["description"],
            "left": flow["series_left"].map(count),
            "": flow["series_left"].map(lambda left: bar(left / most)),
            "removed": [
                count(was - now) if was > now else "" for was, now in zip(before, flow["series_left"], strict=True)
            ],
            "not evaluated": flow["not_evaluated"].map(lambda value: count(value) if value else ""),
            "criterion": flow["criterion"].map(lambda name: f"`{name}`"),
        }
    )
    return shown.to_markdown(
        index=False, colalign=("left", "right", "left", "right", "right", "left"), disable_numparse=True
    )


def characteristics_markdown(characteristics: pd.DataFrame) -> str:
    """Return the paper's table 1 for this collection.

    Parameters
    ----------
    characteristics : DataFrame
        `CHARACTERISTICS` rows.
    """
    rows = [
        ("size" if name == "bytes" else name, *(size(value) if name == "bytes" else count(value) for value in values))
        for name, *values in characteristics.itertuples(index=False)
    ]
    shown = pd.DataFrame(rows, columns=["", "before selection", "selected"])
    return shown.to_markdown(index=False, colalign=("left", "right", "right"), disable_numparse=True)


def changes_markdown(changes: Changes) -> str:
    """Return what changed since the last materialization.

    Parameters
    ----------
    changes : Changes
        Series added and removed.
    """
    if changes.first:
        return f"first materialization: {count(len(changes.added))} series"
    if not changes.added and not changes.removed:
        return "nothing"
    return "\n\n".join(
        f"**{len(uids)} {name}**: {_listed(uids)}"
        for name, uids in (("added", changes.added), ("removed", changes.removed))
        if uids
    )


def excluded_markdown(cohort: pd.DataFrame) -> str:
    """Return the first excluded series with the reasons.

    Parameters
    ----------
    cohort : DataFrame
        `COHORT` rows.
    """
    excluded = cohort.loc[~cohort["selected"], ["SeriesInstanceUID", "SeriesDescription", "instances", "reason"]]
    if excluded.empty:
        return "none"
    more = len(excluded) - _ROWS_SHOWN
    shown = excluded.head(_ROWS_SHOWN).fillna("").astype(str).map(_escaped)
    table: str = shown.to_markdown(index=False, disable_numparse=True)
    return table + (f"\n\nand {count(more)} more in cohort.parquet" if more > 0 else "")


def bar(share: float, characters: int = 24) -> str:
    """Return a bar of block characters.

    Parameters
    ----------
    share : float
        0 to 1.
    characters : int, default 24
        Length of a whole bar.
    """
    whole, rest = divmod(round(share * characters * 8), 8)
    return "█" * whole + (_EIGHTHS[rest] if rest else "")


def count(value: int) -> str:
    """Return a number with separated thousands."""
    return f"{int(value):,}"


def size(value: int) -> str:
    """Return bytes in the unit that suits them."""
    amount, unit = float(value), 0
    while amount >= 1000 and unit < len(_UNITS) - 1:
        amount, unit = amount / 1000, unit + 1
    return f"{amount:.3g} {_UNITS[unit]}"


def _escaped(text: str) -> str:
    """Return text from outside so that it cannot be taken for a cell, a line or an element."""
    return html.escape(" ".join(text.split())).replace("|", "\\|")


def _listed(uids: tuple[str, ...]) -> str:
    more = f" and {len(uids) - _SERIES_SHOWN} more" if len(uids) > _SERIES_SHOWN else ""
    return ", ".join(uids[:_SERIES_SHOWN]) + more
