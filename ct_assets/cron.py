"""Cron expressions: one that no scheduler takes is told with its YAML, and not when the code location fails to load."""

import re
from typing import Final

_NAMES = {
    name: number
    for names, first in (("jan feb mar apr may jun jul aug sep oct nov dec", 1), ("sun mon tue wed thu fri sat", 0))
    for number, name in enumerate(names.split(), start=first)
}
_FIELDS: Final = (("minute", 0, 59), ("hour", 0, 23), ("day", 1, 31), ("month", 1, 12), ("weekday", 0, 7))
_DAYS: Final = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_PART = re.compile(r"(?:\*|(?P<low>\w+)(?:-(?P<high>\w+))?)(?:/(?P<step>\d+))?", re.ASCII)


def checked_cron(expression: str) -> str:
    """Return a cron expression unchanged after checking that it names a moment.

    Parameters
    ----------
    expression : str
        Five fields, or a word such as ``@daily``.

    Raises
    ------
    ValueError
        If a field is out of range, or no month has the day.
    """
    if expression.startswith("@"):
        return expression
    fields = [_numbers(text, *field) for text, field in zip(expression.split(" "), _FIELDS, strict=True)]
    _, _, days, months, _ = fields
    if not any(day <= _DAYS[month - 1] for day in days for month in months):
        message = "no month of these has such a day"
        raise ValueError(message)
    return expression


def _numbers(text: str, name: str, lowest: int, highest: int) -> set[int]:
    found: set[int] = set()
    for part in text.split(","):
        match = _PART.fullmatch(part)
        low = _number(match["low"], lowest) if match else None
        high = _number(match["high"], highest if match["low"] is None else low) if match else None
        step = int(match["step"] or 1) if match else 0
        if low is None or high is None or not (lowest <= low <= high <= highest and 1 <= step <= highest):
            message = f"{name} {part!r} is not between {lowest} and {highest}"
            raise ValueError(message)
        found |= set(range(low, high + 1, step))
    return found


def _number(text: str | None, default: int | None) -> int | None:
    if text is None:
        return default
    return int(text) if text.isdigit() else _NAMES.get(text.lower())
