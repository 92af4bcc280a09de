"""The verdicts on a series as rows to show."""

from collections.abc import Sequence
from dataclasses import dataclass

from ct_assets.review.digests import Judgeable
from ct_assets.review.state import is_current
from ct_assets.review.verdict import Verdict


@dataclass(frozen=True)
class ReviewRow:
    """One verdict in words; ``current`` is false where what was judged is other content now."""

    when: str
    reviewer: str
    scope: str
    verdict: str
    comment: str
    current: bool


def review_rows(verdicts: Sequence[Verdict], now: Judgeable) -> list[ReviewRow]:
    """Return a row per verdict, the latest first.

    Parameters
    ----------
    verdicts : sequence of Verdict
        Verdicts on a series, oldest first.
    now : Judgeable
        What there is in the series now.
    """
    return [
        ReviewRow(
            when=when_text(verdict),
            reviewer=verdict.reviewer,
            scope=verdict.scope,
            verdict=str(verdict.verdict),
            comment=verdict.comment,
            current=is_current(verdict, now),
        )
        for verdict in reversed(verdicts)
    ]


def when_text(verdict: Verdict) -> str:
    """Return the moment of a verdict to the minute, in UTC."""
    return verdict.reviewed_at.strftime("%Y-%m-%d %H:%M UTC")
