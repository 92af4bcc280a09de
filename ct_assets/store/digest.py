"""Digests: what content is, in one string."""

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal


def file_digest(path: Path, algorithm: Literal["sha256", "md5"] = "sha256") -> str:
    """Return the digest of a file.

    Parameters
    ----------
    path : Path
        File to read.
    algorithm : {"sha256", "md5"}
        MD5 only to compare with what somebody else says of the file.

    Returns
    -------
    str
        Hexadecimal digits: 64 of SHA-256, 32 of MD5.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.new(algorithm, usedforsecurity=False)).hexdigest()


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
