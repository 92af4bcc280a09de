"""What the errors of Zenodo and of the way to it mean, and whether to ask again may help."""

from urllib.parse import urlsplit

import requests
import urllib3

from resources.cloud_clients import (
    AccessRefusedError,
    MissingObjectError,
    NoAnswerError,
    RemoteError,
    TransientError,
    UnreachableError,
)

AGAIN = "fetch again later"
"""What to do about a fault that passes by itself."""
CHECK = "check CT_ASSETS_ZENODO"
"""What to do about an answer that Zenodo would not give."""

_BUSY = {408, 425, 429}


def refusal(status: int, url: str) -> RemoteError:
    """Return an HTTP status in our words.

    Parameters
    ----------
    status : int
        Neither 200 nor 206.
    url : str
        What was asked for.

    Returns
    -------
    RemoteError
        A `TransientError` if asking again may help.
    """
    host = _host(url)
    if status in {404, 410}:
        return MissingObjectError(f"{url} does not exist ({status}); {CHECK}")
    if status in {401, 403}:
        return AccessRefusedError(f"{url}: {host} refuses a reader without an account ({status})")
    if status in _BUSY or status >= 500:
        return TransientError(f"{url}: {host} answers {status}; {AGAIN}")
    return RemoteError(f"{url}: {host} answers {status}; {CHECK}")


def explained(error: requests.RequestException, url: str) -> RemoteError:
    """Return an error of requests in our words.

    Parameters
    ----------
    error : RequestException
        What was raised.
    url : str
        What was asked for.

    Returns
    -------
    RemoteError
        A `TransientError` if asking again may help.
    """
    host = _host(url)
    cause = getattr(error.args[0], "reason", error.args[0]) if error.args else error
    if "CERTIFICATE_VERIFY_FAILED" in str(error):
        return RemoteError(f"{host}: its certificate cannot be verified ({cause}); check the network and the proxy")
    no_way = (requests.ConnectTimeout, requests.exceptions.ProxyError)
    if isinstance(error, no_way) or isinstance(cause, urllib3.exceptions.NewConnectionError):
        return UnreachableError(
            f"no connection to {host} ({cause}); check the network, the proxy (HTTPS_PROXY) and CT_ASSETS_ZENODO"
        )
    if isinstance(error, requests.Timeout) or isinstance(cause, urllib3.exceptions.ReadTimeoutError):
        return NoAnswerError(f"{url}: {host} does not answer; {AGAIN}")
    if isinstance(error, requests.ConnectionError | requests.exceptions.ChunkedEncodingError):
        return TransientError(f"{url}: the connection to {host} broke ({cause}); {AGAIN}")
    return RemoteError(f"{url}: {type(error).__name__}: {error}; {CHECK}")


def _host(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
