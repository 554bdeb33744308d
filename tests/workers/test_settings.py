"""Settings come from the environment, and keep their passwords to themselves."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from workers.settings import MAX_SOCKET_PATH, Settings


def test_without_any_variable_everything_is_in_the_home_folder(tmp_path: Path) -> None:
    now = Settings()
    assert now.url == f"sqlite:///{tmp_path}/home/docmill.db"
    assert now.models_path == tmp_path / "home" / "models"
    assert now.broker_url.startswith("redis+socket:///")
    assert (now.lease_seconds, now.tick_seconds, now.load_seconds) == (60, 2, 600)


def test_a_unix_socket_is_named_as_celery_wants_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCMILL_REDIS_URL", "unix:///run/redis.sock")
    assert Settings().broker_url == "redis+socket:///run/redis.sock"
    monkeypatch.setenv("DOCMILL_REDIS_URL", "rediss://me:hunter2@there:6379/3")
    assert Settings().broker_url == "rediss://me:hunter2@there:6379/3"


def test_passwords_are_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCMILL_REDIS_URL", "redis://me:hunter2@there:6379/3")
    monkeypatch.setenv("DOCMILL_DATABASE_URL", "postgresql://me:hunter2@there/db")
    now = Settings()
    assert "hunter2" not in repr(now)
    assert "hunter2" not in now.redis_name
    assert "there:6379" in now.redis_name


def test_a_home_with_a_long_path_still_gets_a_socket_that_linux_allows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCMILL_HOME", str(tmp_path / ("long" * 40)))
    assert len(str(Settings().embedded_socket)) <= MAX_SOCKET_PATH


@pytest.mark.parametrize("name", ["LEASE_SECONDS", "TICK_SECONDS", "WINDOW", "GRACE_SECONDS", "LOAD_SECONDS"])
@pytest.mark.parametrize("value", ["0", "-1", "soon"])
def test_a_time_that_makes_no_sense_is_refused(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(f"DOCMILL_{name}", value)
    with pytest.raises(ValidationError, match=name.lower()):
        Settings()
