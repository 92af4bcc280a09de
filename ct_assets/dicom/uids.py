"""UIDs of the objects that we make: derived from what determines their content, so equal UID means equal bytes."""

import uuid

from ct_assets.store.digest import combined_digest

IMPLEMENTATION_VERSION = "2"
"""Version of the DICOM writers; raise it when the bytes of an object change for the same input."""


def derived_uid(role: str, *parts: str) -> str:
    """Return a UID that depends on nothing but its arguments and the version of the writers.

    Built as a UUID-derived UID (root 2.25, PS3.5 B.2) from a SHA-256.

    Parameters
    ----------
    role : str
        What the UID is for, such as "seg instance"; two roles never share a UID.
    *parts : str
        Everything that determines the content: source digest, weights digest, settings.

    Returns
    -------
    str
        UID of at most 44 characters.
    """
    digest = combined_digest([IMPLEMENTATION_VERSION, role, *parts])
    return f"2.25.{uuid.UUID(bytes=bytes.fromhex(digest)[:16], version=4).int}"
