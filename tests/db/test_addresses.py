"""What DOCMILL_DATABASE_URL may say, and what becomes of it for the driver and for people."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import create_engine

from db import addresses
from db.errors import StoreError
from db.store import Store

SECRET = "c4n4ry"


def _driver_arguments(url: str) -> dict[str, Any]:
    engine = create_engine(addresses.parse(url))
    return dict(engine.dialect.create_connect_args(engine.url)[1])


@pytest.mark.parametrize(
    ("url", "host", "port"),
    [
        (f"postgresql://me:{SECRET}@one,two/db", "one,two", "5432,5432"),
        (f"postgres://me:{SECRET}@one:6432,two_2:5433/db", "one,two_2", "6432,5433"),
        (f"postgresql+psycopg://me:{SECRET}@[::1]:5,10.0.0.2/db", "::1,10.0.0.2", "5,5432"),
        (f"postgresql://me:{SECRET}@/db?host=one,two&port=1,2", "one,two", "1,2"),
    ],
)
def test_of_several_hosts_the_one_that_accepts_writes_is_wanted(url: str, host: str, port: str) -> None:
    arguments = _driver_arguments(url)

    assert (arguments["host"], arguments["port"], arguments["dbname"]) == (host, port, "db")
    assert (arguments["user"], arguments["password"]) == ("me", SECRET)
    assert arguments["target_session_attrs"] == "read-write"


def test_what_the_url_says_goes_first() -> None:
    url = "postgresql://me@one,two/db?target_session_attrs=any&connect_timeout=2&application_name=mine"
    assert _driver_arguments(url)["target_session_attrs"] == "any"
    _, arguments = Store(url).engine.dialect.create_connect_args(Store(url).url)
    assert (arguments["connect_timeout"], arguments["application_name"]) == ("2", "mine")


def test_of_one_host_nothing_is_asked() -> None:
    assert "target_session_attrs" not in _driver_arguments("postgresql://me@one/db")
    assert "target_session_attrs" not in _driver_arguments("postgresql://me@/db?host=/tmp/sockets")


@pytest.mark.parametrize(
    ("url", "name"),
    [
        (f"postgresql://me:{SECRET}@one,two:5433/db", "postgresql+psycopg://me:***@one:5432,two:5433/db"),
        (f"postgresql://me:{SECRET}@one:1/db", "postgresql+psycopg://me:***@one:1/db"),
    ],
)
def test_people_see_the_hosts_and_no_password(url: str, name: str) -> None:
    assert addresses.shown(addresses.parse(url)).partition("?")[0] == name


@pytest.mark.parametrize("hosts", ["one,", ",two", "one:,two", "one:x,two", "one,two:x"])
def test_hosts_that_make_no_sense_are_refused_without_repeating_the_password(hosts: str) -> None:
    with pytest.raises(StoreError, match="host1:5432,host2:5432") as caught:
        addresses.parse(f"postgresql://me:{SECRET}@{hosts}/db")
    assert SECRET not in str(caught.value)
