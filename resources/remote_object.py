"""What an object store says of an object: where it is, its size, its MD5; and which names are let in."""

import base64
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from resources.cloud_clients import RemoteError

_MD5 = re.compile(r"[0-9a-f]{32}")
_LONGEST_NAME = 200


@dataclass(frozen=True)
class RemoteObject:
    """One object: `name` is the last part of `url`, `size` in bytes, `md5` in hexadecimal digits where it is known."""

    url: str
    name: str
    size: int
    md5: str | None


def remote_object(url: str, name: str, details: dict[str, Any]) -> RemoteObject:
    """Return an object as either file system describes it.

    Parameters
    ----------
    url : str
        The object.
    name : str
        Its name.
    details : dict
        What `find` or `info` say of it.
    """
    if "md5Hash" in details:  # Google: base64
        md5: str | None = base64.b64decode(details["md5Hash"] or "").hex()
    else:  # AWS: the ETag is the MD5, except of objects that were uploaded in parts, where it has a "-"
        md5 = str(details.get("ETag", "")).strip('"')
    return RemoteObject(url, name, int(details["size"]), md5 if md5 and _MD5.fullmatch(md5) else None)


def path_of(url: str) -> str:
    """Return bucket and key, the form that both file systems take.

    Parameters
    ----------
    url : str
        ``s3://`` or ``gs://``.

    Raises
    ------
    RemoteError
        If it is the URL of something else.
    """
    parts = urlsplit(url)
    path = f"{parts.netloc}/{parts.path.strip('/')}"
    if parts.scheme not in {"s3", "gs"} or not parts.netloc or path.endswith("/") or parts.query or parts.fragment:
        message = f"{url}: not the URL of something in a bucket, such as s3://idc-open-data/<crdc_series_uuid>/"
        raise RemoteError(message)
    return path


def checked_name(name: str, url: str) -> str:
    """Return the name of an object unchanged after checking that it can be a visible file of one folder.

    Parameters
    ----------
    name : str
        Name below the folder.
    url : str
        The folder, for the message.

    Raises
    ------
    RemoteError
        If the name has a separator or a control character, is hidden, or is too long.
    """
    unfit = name.startswith(".") or any(character in "/\\" or not character.isprintable() for character in name)
    if unfit or len(name.encode()) > _LONGEST_NAME:
        message = f"{url}: object {name[:_LONGEST_NAME]!r} has a name that cannot be a file name; nothing was fetched"
        raise RemoteError(message)
    return name
