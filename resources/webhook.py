"""Resource webhook: alarms are posted to an address that is a secret, as JSON."""

import contextlib
import json
import logging
import ssl
from collections.abc import Iterator, Mapping
from typing import Any, Final

import dagster as dg
import requests
import tenacity
from requests.utils import get_environ_proxies

logger = logging.getLogger(__name__)

CONNECT_SECONDS: Final = 5.0
"""How long the receiver may take to accept a connection."""
ANSWER_SECONDS: Final = 10.0
"""How long it may take to answer."""

_ATTEMPTS: Final = 3
_BUSY: Final = {408, 425, 429}
_CHECK: Final = "check CT_ASSETS_WEBHOOK_URL"


class WebhookError(RuntimeError):
    """An alarm could not be delivered; the message never has the address, which is a secret."""


class _TransientError(WebhookError):
    """A fault that may pass by itself."""


class Webhook(dg.ConfigurableResource):
    """The receiver of alarms, such as an incoming webhook of Slack or Mattermost.

    Attributes
    ----------
    url : str, optional
        Its address; None: nobody is told. Give it as `dagster.EnvVar`, so that the web UI shows no more than the name
        of the variable.
    ui_url : str, optional
        Address of the web UI, for links to runs.
    first_wait : float
        Seconds before the second attempt; doubled before the third.
    """

    url: str | None = None
    ui_url: str | None = None
    first_wait: float = 1.0

    def post(self, alarm: Mapping[str, Any]) -> None:
        """Deliver an alarm; a fault that may pass is met by two more attempts.

        Parameters
        ----------
        alarm : mapping
            What is sent, as JSON.

        Raises
        ------
        WebhookError
            If it is not delivered; nothing is known of it at the receiver then, or it did not say so.
        """
        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(_TransientError),
            stop=tenacity.stop_after_attempt(_ATTEMPTS),
            wait=tenacity.wait_exponential(multiplier=self.first_wait),
            before_sleep=lambda state: logger.info("trying again: %s", state.outcome and state.outcome.exception()),
            reraise=True,
        )
        retrying(self._post, json.dumps(alarm).encode())

    def _post(self, body: bytes) -> None:
        """Post once; what requests raises has the address in its text, so it goes no further than here."""
        status = fault = None
        try:
            status = self._status(body)
        except requests.Timeout:
            fault = "it did not answer in time"
        except requests.exceptions.SSLError:
            fault = "no encrypted connection to it: its certificate cannot be verified, or it speaks no TLS"
        except (OSError, ValueError) as error:  # everything of requests is an OSError
            fault = f"no connection to it ({type(error).__name__})"
        if fault is not None:
            message = f"the webhook was not told: {fault}; {_CHECK}, the network and the proxy"
            raise _TransientError(message)
        assert status is not None
        if 200 <= status < 300:
            return
        message = f"the webhook was not told: it answers {status}; {_CHECK}"
        raise (_TransientError if status in _BUSY or status >= 500 else WebhookError)(message)

    def _status(self, body: bytes) -> int:
        """Return the status of the answer; its content is not read."""
        assert self.url is not None, "an alarm without a receiver"
        with requests.Session() as session, _no_debug_log():
            # As in resources/zenodo.py: of the environment a proxy only, no password file and no certificate bundle.
            session.trust_env = False
            session.proxies = get_environ_proxies(self.url)
            session.verify = ssl.get_default_verify_paths().cafile or True
            with session.post(
                self.url,
                data=body,
                headers={"Content-Type": "application/json"},
                timeout=(CONNECT_SECONDS, ANSWER_SECONDS),
                allow_redirects=False,  # a redirected POST becomes a GET, which tells nobody anything
                stream=True,
            ) as answer:
                return answer.status_code


@contextlib.contextmanager
def _no_debug_log() -> Iterator[None]:
    """Keep the path, which is the secret of a webhook, out of urllib3's debug log, which has that of every request."""
    connections = logging.getLogger("urllib3.connectionpool")

    def quiet(record: logging.LogRecord) -> bool:
        return record.levelno > logging.DEBUG

    connections.addFilter(quiet)
    try:
        yield
    finally:
        connections.removeFilter(quiet)
