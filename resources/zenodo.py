"""Read Zenodo: what files a record has, and their bytes from any place on; no account, no settings from outside."""

import importlib.metadata
import logging
import re
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Self, TypeVar
from urllib.parse import urljoin, urlsplit

import requests
import tenacity
from pydantic import BaseModel, Field, ValidationError
from requests.utils import get_environ_proxies

from resources.cloud_clients import (
    DEFAULT_PATIENCE,
    MissingObjectError,
    NoAnswerError,
    Patience,
    RemoteError,
    TransientError,
)
from resources.zenodo_errors import AGAIN, CHECK, explained, refusal

logger = logging.getLogger(__name__)

ZENODO = "https://zenodo.org"
"""The public server."""

CHUNK = 64 << 10
"""Bytes that are passed on at a time: the most that a connection that breaks takes with it."""

_LARGEST_ANSWER = 4 << 20
_CONTENT_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+)")


_T = TypeVar("_T")


@dataclass(frozen=True)
class ZenodoFile:
    """A file of a record: `size` in bytes, `md5` in hexadecimal digits."""

    record: int
    name: str
    size: int
    md5: str
    url: str


class _Links(BaseModel):
    self: str


class _File(BaseModel):
    key: str
    size: int = Field(ge=0)
    checksum: str = Field(pattern=r"^md5:[0-9a-fA-F]{32}$")
    links: _Links


class _Record(BaseModel):
    files: list[_File] = []  # a record with restricted files has none


class Zenodo:
    """Zenodo, or a server like it, as a reader without a name; a ``with`` block closes the connections.

    Neither a password file nor a certificate bundle that somebody set for other work changes what is fetched; only a
    proxy of the environment is used.

    Parameters
    ----------
    endpoint : str
        Base URL.
    patience : Patience
        How long to go on when it does not answer.
    """

    def __init__(self, endpoint: str = ZENODO, patience: Patience = DEFAULT_PATIENCE) -> None:
        self.endpoint = endpoint.rstrip("/")
        self.patience = patience
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.proxies = get_environ_proxies(self.endpoint)
        self._session.verify = ssl.get_default_verify_paths().cafile or True
        self._session.headers["User-Agent"] = f"ct-assets/{importlib.metadata.version('ct-assets')}"

    def __enter__(self) -> Self:
        """Nothing is opened before it is needed."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connections."""
        self._session.close()

    def file(self, record: int, name: str) -> ZenodoFile:
        """Return what Zenodo says of a file.

        Parameters
        ----------
        record : int
            Number of the record.
        name : str
            Name of the file in it.

        Raises
        ------
        RemoteError
            If there is no such record or file, or if Zenodo does not answer.
        """
        url = f"{self.endpoint}/api/records/{record}"
        answer: bytes = self.persistently(lambda: self._json(url))
        try:
            files = _Record.model_validate_json(answer).files
        except ValidationError as error:
            problem = error.errors()[0]
            place = ".".join(str(part) for part in problem["loc"])
            message = f"{url}: the answer is no record of Zenodo ({place or 'JSON'}: {problem['msg']}); {CHECK}"
            raise RemoteError(message) from error
        for file in files:
            if file.key == name:
                link = urljoin(url, file.links.self)
                return ZenodoFile(record, name, file.size, file.checksum.removeprefix("md5:").lower(), link)
        known = ", ".join(sorted(file.key for file in files)) or "no files that are open to all"
        message = f"Zenodo record {record} has no file {name}; it has: {known}"
        raise MissingObjectError(message)

    @contextmanager
    def open(self, file: ZenodoFile, start: int) -> Iterator[tuple[int, Iterator[bytes]]]:
        """Open a file to read it; no fault is tried again.

        Parameters
        ----------
        file : ZenodoFile
            The file.
        start : int
            Byte to begin at.

        Yields
        ------
        begin : int
            Byte at which the content does begin: `start`, or 0 where the server gives only whole files or another one.
        content : iterator of bytes
            It, in parts.

        Raises
        ------
        RemoteError
            If it cannot be had; a `TransientError` if asking again may help.
        """
        headers = {"Accept-Encoding": "identity", **({"Range": f"bytes={start}-"} if start else {})}
        with self._get(file.url, headers) as response:
            usable = response.status_code == 200 or (response.status_code == 206 and _continues(response, file, start))
            if usable:
                _require_size(response, file)
                yield (start if response.status_code == 206 else 0), self._content(response)
        if not usable:
            logger.info("%s cannot be continued at byte %d: from the start", file.url, start)
            with self.open(file, 0) as whole:
                yield whole

    def persistently(self, attempt: Callable[[], _T], *, again: Callable[[], bool] = lambda: True) -> _T:
        """Do something, and do it again while its fault may pass, as long as `patience` lets.

        Parameters
        ----------
        attempt : callable
            What to do.
        again : callable
            Asked after each fault: False gives up at once.

        Raises
        ------
        RemoteError
            The last fault.
        """
        patience = self.patience
        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception(lambda error: isinstance(error, TransientError) and again()),
            stop=tenacity.stop_after_attempt(patience.attempts) | tenacity.stop_before_delay(patience.total),
            wait=tenacity.wait_exponential_jitter(
                multiplier=patience.first_wait, max=patience.longest_wait, jitter=patience.first_wait
            ),
            before_sleep=lambda state: logger.info("asking again: %s", state.outcome and state.outcome.exception()),
            reraise=True,
        )
        return retrying(attempt)

    def _json(self, url: str) -> bytes:
        latest = time.monotonic() + self.patience.request
        with self._get(url, {"Accept": "application/json"}) as response:
            answer = b""
            for part in self._content(response):
                answer += part
                if len(answer) > _LARGEST_ANSWER:
                    message = f"{url}: the answer is longer than {_LARGEST_ANSWER} bytes; {CHECK}"
                    raise RemoteError(message)
                if time.monotonic() > latest:
                    message = f"{url}: no complete answer within {self.patience.request:.0f} s; {AGAIN}"
                    raise NoAnswerError(message)
            return answer

    @contextmanager
    def _get(self, url: str, headers: dict[str, str]) -> Iterator[requests.Response]:
        self._require_tls(url)
        waits = (self.patience.connect, self.patience.silence)
        try:
            response = self._session.get(url, headers=headers, stream=True, timeout=waits)
        except requests.RequestException as error:
            raise explained(error, url) from error
        with response:
            for step in (*response.history, response):
                self._require_tls(step.url)
            if response.status_code not in {200, 206} and not (response.status_code == 416 and "Range" in headers):
                raise refusal(response.status_code, url)
            yield response

    def _content(self, response: requests.Response) -> Iterator[bytes]:
        try:
            yield from response.iter_content(CHUNK)
        except requests.RequestException as error:
            raise explained(error, response.url) from error

    def _require_tls(self, url: str) -> None:
        """Refuse to go on without encryption where it began with it: the digest comes the same way as the file."""
        if urlsplit(self.endpoint).scheme == "https" != urlsplit(url).scheme:
            message = f"{self.endpoint} sends to {url}, which is not encrypted; nothing is fetched from there"
            raise RemoteError(message)


def _continues(response: requests.Response, file: ZenodoFile, start: int) -> bool:
    """Tell whether a partial answer is the rest of the file that was asked for, from the byte that was asked for."""
    found = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", ""))
    return found is not None and (int(found[1]), int(found[3])) == (start, file.size)


def _require_size(response: requests.Response, file: ZenodoFile) -> None:
    """Refuse a whole answer of another size before it is fetched."""
    length = response.headers.get("Content-Length", "")
    known = response.status_code == 200 and "Content-Encoding" not in response.headers and length.isdecimal()
    if known and int(length) != file.size:
        message = (
            f"{file.url}: has {length} bytes, not {file.size} as record {file.record} says; nothing was installed. "
            "Fetch again, and report it to Zenodo if it stays so"
        )
        raise RemoteError(message)
