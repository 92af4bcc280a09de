"""UIDs are checked before they become paths or partition keys."""

import re

_UID = re.compile(r"[0-9]+(\.[0-9]+)*")

MAXIMUM_UID_LENGTH = 64
"""Longest UID that DICOM allows, in characters (PS3.5, 9.1)."""


class InvalidUidError(ValueError):
    """A string that is used as a DICOM UID but is none."""


def is_uid(value: str) -> bool:
    """Tell whether a string is a DICOM UID, as `checked_uid` checks it."""
    return len(value) <= MAXIMUM_UID_LENGTH and _UID.fullmatch(value) is not None


def checked_uid(value: str) -> str:
    """Return a DICOM UID unchanged after checking that it is one.

    Leading zeros in components are against PS3.5 but common in real archives and harmless in a path, so they pass.

    Parameters
    ----------
    value : str
        Candidate UID.

    Returns
    -------
    str
        The same string.

    Raises
    ------
    InvalidUidError
        If the value is empty, longer than 64 characters, or has anything but digits separated by single dots.
    """
    if not is_uid(value):
        message = f"not a DICOM UID: {value[:80]!r} (digits separated by dots, at most {MAXIMUM_UID_LENGTH} characters)"
        raise InvalidUidError(message)
    return value
