"""What DOCMILL_DATABASE_URL says, for SQLAlchemy and for people.

    sqlite:////full/path/docmill.db
    postgresql://user:password@host[:5432]/database[?parameters of libpq]
    postgresql://user:password@host1:5432,host2:5432/database     whichever of them accepts writes

No message of this module repeats the URL, since it may hold a password.
"""

from __future__ import annotations

import re

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from db.errors import StoreError

#: Scheme, user with password, hosts, and the rest of a URL of PostgreSQL.
_POSTGRES_URL = re.compile(r"(postgres(?:ql)?(?:\+\w+)?://)((?:[^/?]*@)?)([^/?@]*)(.*)", re.DOTALL)
_PASSWORDS = ("password", "sslpassword")


def parse(url: str) -> URL:
    """The URL with our driver: people write postgresql://, or postgres:// as some hosts hand out. Of several hosts, the
    one that accepts writes is wanted, unless the URL says otherwise. StoreError if it is no URL of a store."""
    try:
        parsed = make_url(_without_hosts(url))
    except (ArgumentError, ValueError):
        raise StoreError(
            "DOCMILL_DATABASE_URL is not a database URL; write sqlite:////full/path/docmill.db or "
            "postgresql://user:password@host/database"
        ) from None
    if parsed.host and "@" in parsed.host:
        raise StoreError("DOCMILL_DATABASE_URL: write an @ in the password as %40")
    if parsed.drivername in ("postgresql", "postgres"):
        parsed = parsed.set(drivername="postgresql+psycopg")
    if parsed.get_backend_name() not in ("sqlite", "postgresql"):
        raise StoreError(
            f"DOCMILL_DATABASE_URL: docmill stores in SQLite or PostgreSQL, not in {parsed.get_backend_name()}"
        )
    return _with_hosts(parsed, url) if parsed.get_backend_name() == "postgresql" else parsed


def shown(url: URL) -> str:
    """The URL without its passwords, for people."""
    bare = url.difference_update_query(_PASSWORDS)
    hosts = hosts_of(url)
    if len(hosts) < 2 or bare.host:
        return bare.render_as_string(hide_password=True)
    rendered = (
        bare.difference_update_query(["host", "port"]).set(host="HOSTS").render_as_string(hide_password=True)
    )
    return rendered.replace("HOSTS", ",".join(hosts), 1)


def hosts_of(url: URL) -> list[str]:
    """ "host" or "host:port" of each server of a URL of PostgreSQL; folders of sockets as they are."""
    if url.host:
        return [f"{url.host}:{url.port}" if url.port else url.host]
    hosts = _list(url, "host")
    ports = _list(url, "port")
    return [
        f"{host}:{port}" if port else host
        for host, port in zip(hosts, [*ports, *[""] * len(hosts)], strict=False)
    ]


def _list(url: URL, name: str) -> list[str]:
    value = url.query.get(name, ())
    values = [value] if isinstance(value, str) else list(value)
    return [one for each in values for one in each.split(",")]


def _several_hosts(url: str) -> tuple[re.Match[str], list[str]] | None:
    found = _POSTGRES_URL.fullmatch(url)
    return (found, found[3].split(",")) if found and "," in found[3] else None


def _without_hosts(url: str) -> str:
    """SQLAlchemy's URLs have one host; several go into the query, as libpq's own parameters."""
    several = _several_hosts(url)
    return several[0][1] + several[0][2] + several[0][4] if several else url


def _with_hosts(parsed: URL, url: str) -> URL:
    if several := _several_hosts(url):
        pairs = [re.fullmatch(r"(\[[^\]]+\]|[^:]*)(?::(\d+))?", host) for host in several[1]]
        if not all(pair and pair[1] for pair in pairs):
            raise StoreError(
                "DOCMILL_DATABASE_URL: write several hosts as postgresql://user:password@host1:5432,host2:5432/database"
            )
        hosts = ",".join(pair[1].strip("[]") for pair in pairs if pair)
        ports = ",".join(pair[2] or "5432" for pair in pairs if pair)
        parsed = parsed.update_query_dict({"host": hosts, "port": ports})
    if len(hosts_of(parsed)) > 1 and "target_session_attrs" not in parsed.query:
        parsed = parsed.update_query_dict({"target_session_attrs": "read-write"})
    return parsed
