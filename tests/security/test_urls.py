"""Passwords in URLs, right or wrong: no message repeats them."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from docmill.cli import app
from workers.settings import Settings, settings

SECRET = "c4n4ry"

#: A "/", "#", "?", "@" or ":" in a password has to be written as %2F and so on; many forget it.
REDIS_URLS = [
    f"redis://docmill:{SECRET}@127.0.0.1:1/0",
    f"redis://docmill:{SECRET}/more@127.0.0.1:1/0",
    f"redis://docmill:{SECRET}#more@127.0.0.1:1/0",
    f"redis://docmill:{SECRET}?more@127.0.0.1:1/0",
    f"redis://docmill:more@127.0.0.1:{SECRET}/0",
    f"redis://docmill:[{SECRET}@127.0.0.1:1/0",
    f"redis//docmill:{SECRET}@127.0.0.1:1/0",
    f"http://docmill:{SECRET}@127.0.0.1:1/0",
]
DATABASE_URLS = [
    f"postgresql://docmill:{SECRET}@127.0.0.1:1/docmill",
    f"postgresql://docmill:{SECRET}/more@127.0.0.1:1/docmill",
    f"postgresql://docmill:{SECRET}#more@127.0.0.1:1/docmill",
    f"postgresql://docmill:{SECRET}:more@127.0.0.1:1/docmill",
    f"postgresql://docmill:more@127.0.0.1:{SECRET}/docmill",
    f"postgresql://127.0.0.1:1/docmill?user=docmill&password={SECRET}",
    f"postgres//docmill:{SECRET}@127.0.0.1:1/docmill",
    f"mysql://docmill:{SECRET}@127.0.0.1:1/docmill",
]


@pytest.mark.parametrize("url", REDIS_URLS)
def test_no_message_repeats_the_password_of_redis(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCMILL_REDIS_URL", url)

    said = _said("doctor")

    assert "redis" in said.lower()
    assert SECRET not in said


@pytest.mark.parametrize("command", ["status", "doctor"])
@pytest.mark.parametrize("url", DATABASE_URLS)
def test_no_message_repeats_the_password_of_the_database(
    url: str, command: str, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCMILL_DATABASE_URL", url)

    said = _said(command)

    assert "DATABASE_URL" in said or "127.0.0.1:1" in said or "store" in said
    assert SECRET not in said


def test_settings_do_not_show_their_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCMILL_REDIS_URL", REDIS_URLS[0])
    monkeypatch.setenv("DOCMILL_DATABASE_URL", DATABASE_URLS[0])

    assert SECRET not in repr(Settings()) + str(Settings()) + settings().redis_name


def _said(*arguments: str) -> str:
    """All that a command prints, with the message of an exception that it does not know: its traceback would
    end on that."""
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code != 0
    return result.output + (repr(result.exception) if result.exception else "")
