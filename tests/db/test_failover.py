"""A store of two hosts: what was committed is there after a failover, and every error until then is the
infrastructure's. With jobs in the middle: tests/faults/replica_faults.py."""

from __future__ import annotations

import pytest
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from db.database_errors import is_infrastructure_error, words
from db.store import Store
from tests.db.builders import sql
from tests.postgres_replica import Primary, Standby, both
from tests.servers import missing_postgres, until


def test_a_store_of_two_hosts_goes_on_at_the_standby() -> None:
    if missing := missing_postgres():
        pytest.skip(missing)
    primary = Primary()
    standby = None
    try:
        primary.start()
        standby = Standby(primary.folder)
        standby.start()
        until(primary.n_standbys, "the standby streaming")
        primary.wait_for_standby()
        _fail_over(Store(both(primary, standby)), primary, standby)
    finally:
        for server in filter(None, (primary, standby)):
            server.kill()
            server.remove()


def _fail_over(store: Store, primary: Primary, standby: Standby) -> None:
    def write(n: int) -> None:
        with store.write() as session:
            session.execute(text(f"INSERT INTO here VALUES ({n})"))

    with store.write() as session:
        session.execute(text("CREATE TABLE here (n integer)"))
    write(1)

    primary.kill()
    for _ in range(2):
        with pytest.raises(SQLAlchemyError) as caught:
            write(2)
        assert is_infrastructure_error(caught.value)
    assert "session is read-only" in words(caught.value)
    assert "Connection refused" in words(caught.value)

    standby.promote()
    write(3)
    assert sql(store, "SELECT n FROM here ORDER BY n") == [(1,), (3,)]
    store.close()
