"""Cron expressions: one that Dagster would refuse is told with its YAML, before it fails the whole code location."""

from datetime import UTC, datetime

from cronsim import CronSim, CronSimError

PATTERN = (
    r"^(@(hourly|daily|weekly|monthly|yearly)|[\d*/,\-]+( [\d*/,\-]+){2} [\d*/,\-A-Za-z]+ [\d*/,\-A-KM-Za-km-z]+)$"
)
"""Five fields, or a word; without L, the last day or weekday, which Dagster does not take."""


def checked_cron(expression: str) -> str:
    """Return a cron expression unchanged after checking that it names a moment.

    Parameters
    ----------
    expression : str
        Of the form of `PATTERN`.

    Raises
    ------
    ValueError
        If a field is out of range, or no month has the day.
    """
    if expression.startswith("@"):
        return expression
    any_weekday = f"{expression.rpartition(' ')[0]} *"  # beside a weekday too, Dagster refuses a day that never comes
    try:
        for each in (expression, any_weekday):
            CronSim(each, datetime.now(UTC))
    except CronSimError as error:
        raise ValueError(str(error).lower()) from None
    return expression
