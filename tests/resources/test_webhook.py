"""Alarms over real HTTP on loopback: delivery, faults that pass and faults that stay, and the secret address."""

import logging
import traceback
from collections.abc import Iterator

import dagster as dg
import pytest
from dagster._utils.error import serializable_error_info_from_exc_info
from pydantic import ValidationError

from ct_assets.settings import Settings, settings
from resources import webhook as module
from resources.webhook import Webhook, WebhookError
from tests.resources.webhook_server import SECRET, WebhookServer, webhook_server

ALARM = {"text": "demo: series 1.2.3 failed", "count": 1}


@pytest.fixture
def server() -> Iterator[WebhookServer]:
    with webhook_server() as running:
        yield running


def _post(url: str) -> None:
    Webhook(url=url, first_wait=0.01).post(ALARM)


def test_an_alarm_arrives_as_json(server):
    _post(server.url)
    (request,) = server.requests
    assert request["alarm"] == ALARM
    assert request["headers"]["Content-Type"] == "application/json"
    assert SECRET in request["path"]


@pytest.mark.parametrize("faults", [[503, 429], [0, 500]])
def test_a_fault_that_passes_is_no_fault(server, faults):
    server.answers = list(faults)
    _post(server.url)
    assert server.told == [ALARM]
    assert len(server.requests) == 3


def test_a_fault_that_stays_is_an_error_after_three_attempts(server):
    server.always = 503
    with pytest.raises(WebhookError, match="answers 503; check CT_ASSETS_WEBHOOK_URL"):
        _post(server.url)
    assert len(server.requests) == 3


@pytest.mark.parametrize("status", [302, 400, 404, 410])
def test_a_refusal_and_a_redirection_are_errors_at_once(server, status):
    server.always = status
    with pytest.raises(WebhookError, match=f"answers {status}"):
        _post(server.url)
    assert len(server.requests) == 1


def test_a_receiver_that_never_answers_does_not_hold_the_daemon(server, monkeypatch):
    monkeypatch.setattr(module, "ANSWER_SECONDS", 0.2)
    server.seconds = 5
    with pytest.raises(WebhookError, match="did not answer in time"):
        _post(server.url)


@pytest.mark.parametrize(
    "url",
    [
        f"http://127.0.0.1:9/services/{SECRET}",
        f"http://name.invalid/services/{SECRET}",
        f"https://127.0.0.1:9/services/{SECRET}",
        f"http://[{SECRET}/services",
        f"http://127.0.0.1:port{SECRET}/",
    ],
)
def test_the_address_is_in_no_error_and_in_no_log(url, caplog):
    caplog.set_level(logging.DEBUG)
    with pytest.raises(WebhookError) as raised:
        _post(url)
    kept = serializable_error_info_from_exc_info((raised.type, raised.value, raised.tb))
    assert SECRET not in str(kept)
    assert SECRET not in "".join(traceback.format_exception(raised.value))
    assert SECRET not in caplog.text


def test_the_address_is_in_no_log_of_a_delivery(server, caplog):
    caplog.set_level(logging.DEBUG)
    server.answers = [500]
    _post(server.url)
    assert "trying again: the webhook was not told: it answers 500" in caplog.text
    assert SECRET not in caplog.text
    assert logging.getLogger("urllib3.connectionpool").filters == []


def test_an_encrypted_address_that_speaks_no_tls_is_an_error(server):
    with pytest.raises(WebhookError, match="the webhook was not told"):
        _post(server.url.replace("http://", "https://"))


def test_the_settings_hide_the_address(monkeypatch):
    monkeypatch.setenv("CT_ASSETS_WEBHOOK_URL", f"https://chat.example/{SECRET}")
    assert SECRET not in repr(Settings())
    assert SECRET not in Settings().model_dump_json()
    monkeypatch.setenv("CT_ASSETS_WEBHOOK_URL", f"chat.example/{SECRET}")
    with pytest.raises(ValidationError, match="is no address that begins with https:// or http://") as raised:
        Settings()
    assert SECRET not in str(raised.value)
    monkeypatch.setenv("CT_ASSETS_WEBHOOK_URL", "")
    assert Settings().webhook_url is None


def test_the_definitions_know_the_address_by_its_variable_only(monkeypatch):
    from dagster._core.remote_representation.external_data import RepositorySnap
    from dagster._serdes import serialize_value

    from ct_assets.installation import resources

    def shown() -> tuple[str, Webhook]:
        settings.cache_clear()
        provided = resources()
        snap = RepositorySnap.from_def(dg.Definitions(resources=provided).get_repository_def())
        found = provided["webhook"]
        assert isinstance(found, Webhook)
        return serialize_value(snap), found

    monkeypatch.setenv("CT_ASSETS_WEBHOOK_URL", f"https://chat.example/{SECRET}")
    try:
        text, _ = shown()
        assert "CT_ASSETS_WEBHOOK_URL" in text
        assert SECRET not in text
        monkeypatch.delenv("CT_ASSETS_WEBHOOK_URL")
        text, found = shown()
        assert found.url is None
    finally:
        settings.cache_clear()
