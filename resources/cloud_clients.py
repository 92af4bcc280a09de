"""Anonymous clients of the two public clouds, and what their errors mean: no credentials, no settings from outside."""

import functools
import os
import ssl
import urllib.request
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

_CLOSE_SECONDS = 5
_BUSY = {408, 425, 429}
_AGAIN = "fetch again later"


@dataclass(frozen=True)
class Endpoints:
    """Base URLs of the object stores, such as ``http://127.0.0.1:9000``; None is the public cloud."""

    s3: str | None = None
    gs: str | None = None

    def of(self, scheme: str) -> str:
        """Return the base URL for ``s3`` or ``gs``."""
        if scheme == "s3":
            return self.s3 or "https://s3.amazonaws.com"
        return self.gs or "https://storage.googleapis.com"


PUBLIC_CLOUDS = Endpoints()
"""AWS S3 and Google Cloud Storage."""


@dataclass(frozen=True)
class Patience:
    """How long to go on asking a cloud that does not answer as it should; all times in seconds.

    A request is made at most `attempts` times, the waits between them doubling from `first_wait` to `longest_wait`,
    and none is begun later than `total` after the first. An attempt ends when there is no connection within `connect`,
    no byte for `silence`, or no complete answer (at most 4 MiB) within `request`.
    """

    attempts: int = 4
    first_wait: float = 1.0
    longest_wait: float = 8.0
    total: float = 30.0
    connect: float = 5.0
    silence: float = 15.0
    request: float = 120.0


DEFAULT_PATIENCE = Patience()
"""A dead endpoint is given up within half a minute."""


class RemoteError(RuntimeError):
    """An object store did not give what was asked for; the message says what, and what to do."""


class MissingObjectError(RemoteError):
    """There is no such object or bucket."""


class AccessRefusedError(RemoteError):
    """The object store refuses an anonymous reader."""


class TransientError(RemoteError):
    """May pass by itself: worth asking again."""


class NoAnswerError(TransientError):
    """The endpoint kept silent."""


class UnreachableError(TransientError):
    """There is no connection to the endpoint at all."""


def open_cloud(scheme: str, endpoint: str, patience: Patience, connections: int) -> Any:
    """Open an object store as a reader without a name.

    The endpoint is always given, and S3 gets a session that knows no environment variable and no file of the AWS
    tools: a profile, key or endpoint somebody set for other work must not change what is fetched here.

    Parameters
    ----------
    scheme : str
        s3 or gs.
    endpoint : str
        Base URL.
    patience : Patience
        Its limits of a single attempt; the libraries' own retries are switched off.
    connections : int
        Connections that are kept open.

    Returns
    -------
    fsspec.AbstractFileSystem
        The file system; not cached between calls.
    """
    return _open_s3(endpoint, patience, connections) if scheme == "s3" else _open_gs(endpoint, patience)


def close_cloud(filesystem: Any) -> None:
    """Close the connections of `open_cloud`, which the libraries leave to the garbage collector.

    Parameters
    ----------
    filesystem : fsspec.AbstractFileSystem
        The file system.
    """
    from fsspec.asyn import sync

    client = getattr(filesystem, "_s3", None) or getattr(filesystem, "_session", None)
    if client is not None:
        sync(filesystem.loop, client.close, timeout=_CLOSE_SECONDS)


def _open_s3(endpoint: str, patience: Patience, connections: int) -> Any:
    import s3fs

    filesystem = s3fs.S3FileSystem(
        anon=True,
        endpoint_url=endpoint,
        session=_session_of_nobody(),
        client_kwargs={"region_name": "us-east-1", "verify": ssl.get_default_verify_paths().cafile or True},
        config_kwargs={
            "connect_timeout": patience.connect,
            "read_timeout": patience.silence,
            "max_pool_connections": connections,
            "retries": {"total_max_attempts": 1, "mode": "standard"},
            "response_checksum_validation": "when_required",  # of parts of objects too; the whole is checked here
            "s3": {"addressing_style": "auto" if endpoint.endswith(".amazonaws.com") else "path"},
        },
        use_listings_cache=False,
        skip_instance_cache=True,
    )
    filesystem.retries = 1
    return filesystem


@functools.cache  # it reads AWS' description of S3, a third of a second
def _session_of_nobody() -> Any:
    from aiobotocore.session import AioSession

    variables = {
        name: (None, None, default, convert) for name, (_, _, default, convert) in AioSession.SESSION_VARIABLES.items()
    }
    for name in ("config_file", "credentials_file"):
        variables[name] = (None, None, os.devnull, None)
    return AioSession(variables)


def _open_gs(endpoint: str, patience: Patience) -> Any:
    import aiohttp
    from gcsfs.core import GCSFileSystem

    class SingleAttempt(GCSFileSystem):  # type: ignore[misc,unused-ignore]
        """gcsfs asks six times over half a minute, and takes no argument to ask less often."""

        _request = GCSFileSystem._request.__wrapped__  # noqa: SLF001

    filesystem = SingleAttempt(
        token="anon",  # noqa: S106 - the name of no token
        endpoint_url=endpoint,
        requests_timeout=aiohttp.ClientTimeout(
            total=patience.request, sock_connect=patience.connect, sock_read=patience.silence
        ),
        session_kwargs={"proxy": _proxy(endpoint)},
        use_listings_cache=False,
        skip_instance_cache=True,
    )
    # Nor does an anonymous reader show the certificate of Google's tools, which gcsfs looks for without being asked.
    filesystem._use_client_cert = False  # noqa: SLF001
    return filesystem


def _proxy(endpoint: str) -> str | None:
    """Return the proxy of the environment, which s3fs follows by itself and gcsfs does not."""
    parts = urlsplit(endpoint)
    if urllib.request.proxy_bypass(parts.netloc):
        return None
    return urllib.request.getproxies().get(parts.scheme)


def explained(error: Exception, url: str, endpoint: str) -> RemoteError:
    """Return an error of either client library in our words.

    Parameters
    ----------
    error : Exception
        What the library raised.
    url : str
        Object or folder that was asked for.
    endpoint : str
        Base URL that was asked.

    Returns
    -------
    RemoteError
        A `TransientError` if asking again may help.
    """
    import aiohttp
    from botocore.exceptions import HTTPClientError, IncompleteReadError
    from botocore.parsers import ResponseParserError
    from fsspec.exceptions import FSTimeoutError

    status = _status(error)
    if status == 404:
        return MissingObjectError(
            f"{url} does not exist at {endpoint}; check the URL, or select the series anew: it may have been revised"
        )
    if status in {401, 403}:
        return AccessRefusedError(
            f"{url}: {endpoint} refuses anonymous access ({status}); only public buckets are read"
        )
    if status is not None and (status in _BUSY or status >= 500):
        return TransientError(f"{url}: {endpoint} answers {status}; {_AGAIN}")
    cause = getattr(error, "kwargs", {}).get("error", error)  # botocore keeps aiohttp's error there
    if isinstance(error, FSTimeoutError) and error.__cause__:  # fsspec makes one of every timeout
        cause = error.__cause__
    if isinstance(cause, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError):
        return UnreachableError(
            f"no connection to {endpoint} ({cause}); check the network, the proxy (HTTPS_PROXY) and the endpoint"
        )
    if isinstance(cause, TimeoutError):
        return NoAnswerError(f"{url}: {endpoint} does not answer; {_AGAIN}")
    broken = (aiohttp.ClientError, ConnectionError, HTTPClientError, IncompleteReadError, ResponseParserError)
    if isinstance(cause, broken) or isinstance(error, broken):
        return TransientError(f"{url}: the connection to {endpoint} broke ({type(cause).__name__}: {cause}); {_AGAIN}")
    return RemoteError(f"{url}: {endpoint}: {type(error).__name__}: {error}")


def _status(error: Exception) -> int | None:
    """Return the HTTP status behind an error; gcsfs is not imported for it, which takes a second."""
    from botocore.exceptions import ClientError

    for link in (error, error.__cause__):
        if isinstance(link, ClientError):
            return int(link.response["ResponseMetadata"]["HTTPStatusCode"])
        if type(link).__name__ == "HttpError":
            return int(getattr(link, "code", None) or 0)
    if isinstance(error, FileNotFoundError):
        return 404
    if isinstance(error, PermissionError) or str(error).startswith("Forbidden"):
        return 403
    # gcsfs raises this for 502, with nothing in it.
    return 502 if type(error).__name__ == "ProxyError" else None
