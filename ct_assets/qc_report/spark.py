"""A line-high box plot that shows where the values of one series lie among those of others."""

from collections.abc import Mapping

from markupsafe import Markup, escape

from ct_assets.organs import EXPERT
from ct_assets.qc_report.comparison import Comparison

WIDTH, HEIGHT = 168, 18
"""Size in CSS pixels."""

_MARGIN = 6


def spark_box(
    comparison: Comparison, values: Mapping[str, float], limits: tuple[float | None, float | None] = (None, None)
) -> Markup:
    """Draw a distribution with the values of a series on it.

    The line runs from the 5th to the 95th percentile (to the fences where those are not known), the box from the first
    to the third quartile, with the median; a dot is a model, a ring the expert; dashes are the limits in force.

    Parameters
    ----------
    comparison : Comparison
        The distribution and whose it is.
    values : mapping of str to float
        Model -> value.
    limits : tuple of float or None
        Lower and upper limit.

    Returns
    -------
    Markup
        SVG element; what it shows in words is its title.
    """
    found = comparison.distribution
    low = found.lower_fence if found.p05 is None else found.p05
    high = found.upper_fence if found.p95 is None else found.p95
    ends = [low, high, *values.values(), *(limit for limit in limits if limit is not None)]
    start, span = min(ends), (max(ends) - min(ends)) or 1.0

    def x(value: float) -> str:
        return f"{_MARGIN + (value - start) / span * (WIDTH - 2 * _MARGIN):.1f}"

    words = f"{comparison.of}: quartiles {found.q1:.4g}, {found.median:.4g}, {found.q3:.4g}"
    parts = [
        f'<svg class="spark" width="{WIDTH}" height="{HEIGHT}" role="img"><title>{escape(words)}</title>',
        f'<path class="whisker" d="M{x(low)} 9H{x(high)}"/>',
        f'<path class="box" d="M{x(found.q1)} 4H{x(found.q3)}V14H{x(found.q1)}Z"/>',
        f'<path class="median" d="M{x(found.median)} 4V14"/>',
        *(f'<path class="limit" d="M{x(limit)} 1V17"/>' for limit in limits if limit is not None),
        *(
            f'<circle class="{"ring" if model == EXPERT else "dot"}" cx="{x(value)}" cy="9" r="3.2">'
            f"<title>{escape(model)}: {value:.4g}</title></circle>"
            for model, value in values.items()
        ),
        "</svg>",
    ]
    return Markup("".join(parts))  # noqa: S704 (numbers, and text that is escaped)
