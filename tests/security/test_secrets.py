"""Secrets in the settings: held as SecretStr, and shown by nothing that a log may hold."""

import logging
import re

import pytest
from pydantic import SecretStr, ValidationError, field_validator

from ct_assets.settings import Settings

SECRET = "correct-horse-battery-staple"
SOUNDS_SECRET = re.compile(r"webhook|token|password|secret|credential|api_?key")


class WithSecret(Settings):
    """The settings and one more secret, which may have no blanks."""

    password: SecretStr | None = None

    @field_validator("password")
    @classmethod
    def _no_blanks(cls, value: SecretStr | None) -> SecretStr | None:
        if value and " " in value.get_secret_value():
            message = "a password has no blanks"
            raise ValueError(message)
        return value


def test_whatever_sounds_secret_is_a_secret():
    fields = {name: str(field.annotation) for name, field in WithSecret.model_fields.items()}
    assert [name for name in fields if SOUNDS_SECRET.search(name)], "the pattern finds the one that is"
    assert not [name for name, kind in fields.items() if SOUNDS_SECRET.search(name) and "SecretStr" not in kind]


def test_settings_with_secrets_show_none_of_them(monkeypatch, caplog):
    secrets = [name for name, field in WithSecret.model_fields.items() if "SecretStr" in str(field.annotation)]
    for name in secrets:
        monkeypatch.setenv(f"CT_ASSETS_{name.upper()}", f"https://{SECRET}")
    settings = WithSecret()
    assert settings.password is not None
    assert SECRET in settings.password.get_secret_value(), "it was read"
    with caplog.at_level(logging.INFO):
        logging.getLogger("ct_assets").info("settings %s %r", settings, settings.model_dump())
    shown = [repr(settings), str(settings), settings.model_dump_json(), caplog.text]
    assert "password" in caplog.text
    assert not [text for text in shown if SECRET in text]


def test_the_error_of_a_setting_that_does_not_fit_shows_no_secret(monkeypatch):
    monkeypatch.setenv("CT_ASSETS_PASSWORD", f"{SECRET} and more")
    with pytest.raises(ValidationError, match="a password has no blanks") as error:
        WithSecret()
    assert SECRET not in str(error.value)
