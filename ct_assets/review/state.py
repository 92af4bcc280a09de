"""The state of a series, a model or a finding: what the reviewers' verdicts say of it as it is now."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from ct_assets.review.digests import Judgeable
from ct_assets.review.verdict import LUNG, LUNG_ENDS, Decision, Verdict


class State(StrEnum):
    """What reviewers say of something."""

    UNREVIEWED = "unreviewed"
    ACCEPTED = "accepted"
    REJECTED = "rejected"
    NEEDS_CORRECTION = "needs correction"
    REOPENED = "reopened"


WITHHELD = (State.REJECTED, State.NEEDS_CORRECTION)
"""States of what is not given away."""

OPEN = (State.UNREVIEWED, State.REOPENED)
"""States of what nobody has judged as it is now."""

_STATE = {
    Decision.ACCEPT: State.ACCEPTED,
    Decision.REJECT: State.REJECTED,
    Decision.NEEDS_CORRECTION: State.NEEDS_CORRECTION,
}


@dataclass(frozen=True)
class Standing:
    """A state, and the verdict that it follows from; none where nobody has reviewed."""

    state: State
    verdict: Verdict | None = None

    @property
    def withheld(self) -> bool:
        """Whether it is not to be given away: also where it was, and what took its place has not been looked at."""
        if self.state is State.REOPENED and self.verdict is not None:
            return self.verdict.verdict is not Decision.ACCEPT
        return self.state in WITHHELD


def standing(
    verdicts: Sequence[Verdict], now: Judgeable, model: str | None = None, subject: str | None = None
) -> Standing:
    """Return what the latest verdict says that covers something.

    A verdict holds for exactly what was judged: where what is asked about is other content now, the matter is open
    again. The lung extent is measured between two landmarks: what is wrong with one of them is wrong with the extent.

    Parameters
    ----------
    verdicts : sequence of Verdict
        Verdicts on the series, oldest first.
    now : Judgeable
        What there is in the series now.
    model : str, optional
        Model that is asked about; none: the series as a whole, which verdicts on one model say nothing of.
    subject : str, optional
        Organ, landmark or region that is asked about; none: all of the model.

    Returns
    -------
    Standing
        State and verdict.
    """
    if subject == LUNG:
        ends = (standing(verdicts, now, model, end) for end in LUNG_ENDS)
        wrong = next((end for end in ends if end.withheld), None)
        if wrong is not None:
            return wrong
    latest = next((verdict for verdict in reversed(verdicts) if covers(verdict, model, subject)), None)
    if latest is None:
        return Standing(State.UNREVIEWED)
    return Standing(_STATE[latest.verdict] if is_current(latest, now, model) else State.REOPENED, latest)


def covers(verdict: Verdict, model: str | None = None, subject: str | None = None) -> bool:
    """Tell whether a verdict says something of a model and a subject.

    Parameters
    ----------
    verdict : Verdict
        The verdict.
    model, subject : str, optional
        What is asked about; none: all, of which only a verdict on all says something.
    """
    return verdict.model in {None, model} and verdict.subject in {None, subject}


def is_current(verdict: Verdict, now: Judgeable, model: str | None = None) -> bool:
    """Tell whether what was judged is what there is now.

    Parameters
    ----------
    verdict : Verdict
        The verdict.
    now : Judgeable
        What there is in the series now.
    model : str, optional
        Model that is asked about, so that what other models made does not count; none: everything that was judged.
    """
    present = now.of(verdict.model or model, verdict.subject)
    if model is None or verdict.model is not None:
        return verdict.judged == present
    return bool(present) and present.items() <= verdict.judged.items()
