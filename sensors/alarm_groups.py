"""Which alarms are sent when: failures for the same reason become one message, and that reason rests for a while.

A full disk fails every series. Thousands of runs then tell the same thing, and who is told it thousands of times stops
to read. All of it is decided by pure functions on the state that the sensor keeps in its cursor.
"""

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from ct_assets.runbooks import FAILED_TOO_OFTEN, RUN_FAILED
from sensors.failed_run import Failure

REST_SECONDS = 15 * 60
"""How long a reason rests after it was told; what fails for it meanwhile is counted and told then."""

MOST_REASONS = 10
"""Reasons that are told apart at a time; what is beyond becomes one group of its own."""

EXAMPLES = 3
"""Series that a message names."""

_OTHER = "other reasons"
_RUN_UID_OR_NUMBER = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|0x[0-9a-f]+|\d+(?:\.\d+)*")


class Group(BaseModel):
    """Failures for one reason: `waiting` of them have not been told, the first at `since`, the last at `last`."""

    model_config = ConfigDict(frozen=True)

    collection: str | None
    stage: str | None
    reason: str
    runbook: str
    waiting: int = 0
    series: tuple[str, ...] = ()
    run: str = ""
    since: float = 0.0
    last: float = 0.0
    told: float | None = None


class State(BaseModel):
    """What the sensor knows: the last failure it has looked at, and the groups by their key."""

    model_config = ConfigDict(frozen=True)

    after: int
    groups: dict[str, Group] = {}

    @classmethod
    def parse(cls, text: str | None) -> Self | None:
        """Read a cursor; one that is missing or foreign is None.

        Parameters
        ----------
        text : str or None
            What Dagster kept of the last tick.
        """
        try:
            return cls.model_validate_json(text or "")
        except ValidationError:
            return None

    def taking(self, failures: Iterable[Failure], after: int) -> "State":
        """Return the state with more failures in it.

        Parameters
        ----------
        failures : iterable of Failure
            They have not been looked at before.
        after : int
            The last failure that has now been looked at.
        """
        groups = dict(self.groups)
        for failure in failures:
            key = key_of(failure)
            if key not in groups and len(groups) >= MOST_REASONS:
                key, failure = _OTHER, _of_other_reasons(failure)
            groups[key] = _with(groups.get(key), failure)
        return State(after=after, groups=groups)

    def due(self, now: float) -> list[str]:
        """Return the keys of the groups to tell now, the oldest first.

        Parameters
        ----------
        now : float
            Time in seconds since 1970.
        """
        waiting = [
            (group.since, key)
            for key, group in self.groups.items()
            if group.waiting and (group.told is None or now - group.told >= REST_SECONDS)
        ]
        return [key for _, key in sorted(waiting)]

    def told(self, key: str, now: float) -> "State":
        """Return the state after a group has been told."""
        group = self.groups[key].model_copy(update={"waiting": 0, "series": (), "told": now})
        return State(after=self.after, groups={**self.groups, key: group})

    def tidied(self, now: float) -> "State":
        """Return the state without the groups that have rested and of which nothing waits."""
        kept = {
            key: group
            for key, group in self.groups.items()
            if group.waiting or (group.told is not None and now - group.told < REST_SECONDS)
        }
        return State(after=self.after, groups=kept)


def key_of(failure: Failure) -> str:
    """Return what failures for the same reason have in common: their reasons differ in UIDs, runs, numbers."""
    reason = _RUN_UID_OR_NUMBER.sub("#", failure.reason)
    return f"{failure.collection}|{failure.stage}|{reason}"


def message(group: Group, attempts: int | None, most_attempts: int, ui_url: str | None) -> dict[str, Any]:
    """Return what is sent for a group.

    Parameters
    ----------
    group : Group
        What fails and why.
    attempts : int or None
        Failed runs of its series so far; None where it is more than one run, or no series.
    most_attempts : int
        Failed runs after which the schedule leaves a series out.
    ui_url : str or None
        Address of the web UI.
    """
    alone = group.waiting == 1
    series = group.series[-1] if group.series else None
    hopeless = attempts is not None and attempts >= most_attempts
    runbook = FAILED_TOO_OFTEN.path if hopeless and group.runbook == RUN_FAILED.path else group.runbook
    url = f"{ui_url.rstrip('/')}/runs/{group.run}" if ui_url else None
    what = (f"series {series}" if series else "a run") if alone else f"{group.waiting} runs"
    parts = [f"{group.collection or 'ct-assets'}: {what} failed", *([f"in {group.stage}"] if group.stage else [])]
    if attempts is not None and alone:
        parts.append(f"({attempts} times so far; the schedule leaves it out)" if hopeless else f"(attempt {attempts})")
    last = "" if alone else f"; the last: {f'series {series}' if series else f'run {group.run}'}"
    text = f"{' '.join(parts)}: {group.reason}{last}. What to do: {runbook}{f' {url}' if url else ''}"
    return {
        "text": text,
        "collection": group.collection,
        "series": series,
        "examples": list(group.series),
        "stage": group.stage,
        "reason": group.reason,
        "count": group.waiting,
        "attempts": attempts if alone else None,
        "run": group.run,
        "url": url,
        "since": _iso(group.since),
        "time": _iso(group.last),
        "runbook": runbook,
    }


def _with(group: Group | None, failure: Failure) -> Group:
    before = group or Group(
        collection=failure.collection, stage=failure.stage, reason=failure.reason, runbook=failure.runbook
    )
    series: Sequence[str] = before.series
    if failure.series is not None:
        series = [*(uid for uid in series if uid != failure.series), failure.series][-EXAMPLES:]
    return before.model_copy(
        update={
            "reason": failure.reason,
            "waiting": before.waiting + 1,
            "series": tuple(series),
            "run": failure.run,
            "since": before.since if before.waiting else failure.time,
            "last": failure.time,
        }
    )


def _of_other_reasons(failure: Failure) -> Failure:
    return Failure(failure.run, None, failure.series, None, _OTHER, RUN_FAILED.path, failure.time)


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
