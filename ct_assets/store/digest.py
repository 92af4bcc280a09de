"""Digests: what content is, in one string."""

import hashlib
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Literal

_CHUNK = 1 << 20


def file_digest(
    path: Path, algorithm: Literal["sha256", "md5"] = "sha256", report: Callable[[int], None] | None = None
) -> str:
    """Return the digest of a file.

    Parameters
    ----------
    path : Path
        File to read.
    algorithm : {"sha256", "md5"}
        MD5 only to compare with what somebody else says of the file.
    report : callable, optional
        Called with the bytes of each piece that was read.

    Returns
    -------
    str
        Hexadecimal digits: 64 of SHA-256, 32 of MD5.
    """
    digest = hashlib.new(algorithm, usedforsecurity=False)
    with path.open("rb", buffering=0) as file:
        while piece := file.read(_CHUNK):
            digest.update(piece)
            if report:
                report(len(piece))
    return digest.hexdigest()


def combined_digest(parts: Iterable[str]) -> str:
    """Return the SHA-256 of several strings, independent of nothing but their order and content.

    Parameters
    ----------
    parts : iterable of str
        Strings; their lengths enter the digest so that no two different lists agree by concatenation.

    Returns
    -------
    str
        64 hexadecimal digits.
    """
    digest = hashlib.sha256()
    for part in parts:
        encoded = part.encode()
        digest.update(len(encoded).to_bytes(8, "big"))
        digest.update(encoded)
    return digest.hexdigest()


def json_digest(content: Any) -> str:
    """Return the SHA-256 of JSON-serializable content in canonical form.

    Parameters
    ----------
    content : Any
        Content without NaN.

    Returns
    -------
    str
        64 hexadecimal digits.
    """
    return combined_digest([json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)])
