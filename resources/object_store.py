"""Read objects of a public cloud: list, describe, stream, asking again when a fault may pass."""

import hashlib
import logging
import threading
from collections.abc import Callable
from typing import Any, BinaryIO, Self
from urllib.parse import urlsplit

import tenacity

from resources.cloud_clients import (
    Endpoints,
    MissingObjectError,
    NoAnswerError,
    Patience,
    RemoteError,
    TransientError,
    UnreachableError,
    close_cloud,
    explained,
    open_cloud,
)
from resources.remote_object import RemoteObject, checked_name, path_of, remote_object

logger = logging.getLogger(__name__)

CHUNK = 4 << 20
"""Bytes of one range request: what a worker holds in memory."""

_AGAIN = "fetch again, and report it to the archive if it stays so"


class FetchCancelledError(RemoteError):
    """The fetch was given up for another reason than this object."""


class ObjectStore:
    """Objects below ``s3://`` and ``gs://``; may be used by several threads.

    A ``with`` block closes its connections. An endpoint that gives no connection, or has never answered, is asked no
    further once `patience` is spent: every later request fails at once with the same reason.

    Parameters
    ----------
    endpoints : Endpoints
        Where the clouds are.
    patience : Patience
        How long to go on asking.
    connections : int
        Most requests at a time.
    """

    def __init__(self, endpoints: Endpoints, patience: Patience, connections: int) -> None:
        self.cancelled = threading.Event()
        self._endpoints = endpoints
        self._patience = patience
        self._connections = connections
        self._opening = threading.Lock()
        self._opened: dict[str, Any] = {}
        self._answered: set[str] = set()
        self._dead: dict[str, str] = {}

    def __enter__(self) -> Self:
        """Nothing is opened before it is needed."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close what was opened."""
        for cloud in self._opened.values():
            close_cloud(cloud)

    def listing(self, url: str) -> list[RemoteObject]:
        """Return the objects of a folder, sorted by name.

        Parameters
        ----------
        url : str
            Folder, such as ``s3://idc-open-data/<crdc_series_uuid>/``.

        Raises
        ------
        RemoteError
            If there are none, if one has a name that must not become a file name, or if the cloud does not answer.
        """
        path = path_of(url)
        found = self._ask(url, lambda cloud: cloud.find(path, detail=True, timeout=self._patience.request))
        below = {
            name.removeprefix(f"{path}/"): details for name, details in found.items() if name.startswith(f"{path}/")
        }
        objects = [
            remote_object(f"{url.rstrip('/')}/{name}", checked_name(name, url), details)
            for name, details in sorted(below.items())
            if name  # an object that stands for the folder itself
        ]
        if not objects:
            message = f"{url} has no objects; check the URL, or select the series anew: it may have been revised"
            raise MissingObjectError(message)
        return objects

    def describe(self, url: str) -> RemoteObject:
        """Return one object.

        Parameters
        ----------
        url : str
            The object.

        Raises
        ------
        RemoteError
            If there is none, or if the cloud does not answer.
        """
        path = path_of(url)
        details = self._ask(url, lambda cloud: cloud.info(path, timeout=self._patience.request))
        if details["type"] != "file":
            message = f"{url} is a folder, not an object; give the URL of an object"
            raise MissingObjectError(message)
        return remote_object(url, path.rpartition("/")[2], details)

    def save(
        self,
        remote: RemoteObject,
        file: BinaryIO,
        *,
        sha256: str | None = None,
        arrived: Callable[[int], None] = lambda _: None,
    ) -> None:
        """Write an object to an open file and check it.

        Parameters
        ----------
        remote : RemoteObject
            What to write.
        file : BinaryIO
            Where to.
        sha256 : str, optional
            Hexadecimal digits that the content must have.
        arrived : callable
            Called with the bytes of every part that is written.

        Raises
        ------
        RemoteError
            If the content cannot be had, or is not what its size or a digest says.
        """
        digests = {"MD5": hashlib.md5(usedforsecurity=False), "SHA-256": hashlib.sha256()}
        expected = {"MD5": remote.md5, "SHA-256": sha256.lower() if sha256 else None}
        wanted = {name: digest for name, digest in digests.items() if expected[name]}
        for start in range(0, remote.size, CHUNK):
            chunk = self._read(remote, start, min(start + CHUNK, remote.size))
            file.write(chunk)
            for digest in wanted.values():
                digest.update(chunk)
            arrived(len(chunk))
        for name, digest in wanted.items():
            if digest.hexdigest() != expected[name]:
                message = f"{remote.url}: {name} is {digest.hexdigest()}, not {expected[name]}; {_AGAIN}"
                raise RemoteError(message)

    def _read(self, remote: RemoteObject, start: int, stop: int) -> bytes:
        path = path_of(remote.url)
        chunk: bytes = self._ask(
            remote.url, lambda cloud: cloud.cat_file(path, start=start, end=stop, timeout=self._patience.request)
        )
        if len(chunk) != stop - start:
            message = (
                f"{remote.url}: {len(chunk)} bytes came where {stop - start} were asked for: the object has changed "
                f"since it was listed with {remote.size} bytes; {_AGAIN}"
            )
            raise RemoteError(message)
        return chunk

    def _ask(self, url: str, request: Callable[[Any], Any]) -> Any:
        """Make a request, and make it again while its fault may pass."""
        scheme = urlsplit(url).scheme
        patience = self._patience

        def attempt() -> Any:
            if self.cancelled.is_set():
                raise FetchCancelledError(url)
            if scheme in self._dead:
                raise UnreachableError(self._dead[scheme])
            endpoint = self._endpoints.of(scheme)
            try:
                answer = request(self._cloud(scheme))
            except Exception as error:
                fault = explained(error, url, endpoint)
                if not isinstance(fault, UnreachableError | NoAnswerError):
                    self._answered.add(scheme)
                raise fault from error
            self._answered.add(scheme)
            return answer

        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception(
                lambda error: isinstance(error, TransientError) and scheme not in self._dead
            ),
            stop=tenacity.stop_after_attempt(patience.attempts) | tenacity.stop_before_delay(patience.total),
            wait=tenacity.wait_exponential_jitter(
                multiplier=patience.first_wait, max=patience.longest_wait, jitter=patience.first_wait
            ),
            sleep=tenacity.sleep_using_event(self.cancelled),
            before_sleep=lambda state: logger.debug("asking again: %s", state.outcome and state.outcome.exception()),
            reraise=True,
        )
        try:
            return retrying(attempt)
        except (UnreachableError, NoAnswerError) as error:
            if isinstance(error, UnreachableError) or scheme not in self._answered:
                self._dead[scheme] = str(error).removeprefix(f"{url}: ")
            raise

    def _cloud(self, scheme: str) -> Any:
        with self._opening:
            if scheme not in self._opened:
                endpoint = self._endpoints.of(scheme)
                self._opened[scheme] = open_cloud(scheme, endpoint, self._patience, self._connections)
            return self._opened[scheme]
