"""Every view is described as it is, and a store whose views are older or newer is noticed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest
from sqlalchemy import inspect
from typer.testing import CliRunner

from db import view_digest, views
from db.errors import OldSchemaError
from db.migrations import upgrade
from db.store import Store, open_store
from tests.db.builders import a_job, sql

FAILURES = views.VIEWS["v_failures"]
#: What a change of a view leaves in db/views.py.
EDITED = {
    **views.VIEWS,
    "v_failures": replace(
        FAILURES,
        query=FAILURES.query.replace("SELECT ", "SELECT 42 AS answer, ", 1),
        columns={"answer": "a number", **FAILURES.columns},
    ),
}


@contextmanager
def edited_views() -> Iterator[None]:
    """The code of a docmill whose v_failures has one column more."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(view_digest, "VIEWS", EDITED)
        patch.setattr(view_digest, "DIGESTS", (*views.DIGESTS, "next"))
        yield


def columns(store: Store, view: str = "v_failures") -> list[str]:
    return [column["name"] for column in inspect(store.engine).get_columns(view)]


@pytest.mark.parametrize("view", views.VIEWS)
def test_the_declared_columns_are_the_columns(store: Store, view: str) -> None:
    assert list(views.VIEWS[view].columns) == columns(store, view)


@pytest.mark.parametrize("view", views.VIEWS)
def test_every_description_fits_a_cell_of_a_table(view: str) -> None:
    declared = views.VIEWS[view]
    for words in (declared.about, *declared.columns.values()):
        assert words.strip() == words != ""
        assert not {"\n", "|"} & set(words), words
    assert declared.about.endswith(".")


def test_a_changed_view_has_its_digest_appended() -> None:
    """Without it, an older docmill could not know that these views are newer than its own."""
    changed = view_digest.queries_hash()
    assert views.DIGESTS[-1] == changed, (
        f'a view has changed: append "{changed}" to DIGESTS in db/views.py; only if you changed that view since the '
        "last release already, put it in place of the last one"
    )
    assert len(set(views.DIGESTS)) == len(views.DIGESTS)


def test_a_description_is_no_change_of_a_view(monkeypatch: pytest.MonkeyPatch) -> None:
    before = view_digest.digest()
    monkeypatch.setattr(
        view_digest, "VIEWS", {**views.VIEWS, "v_failures": replace(FAILURES, about="Other words.")}
    )
    assert view_digest.digest() == before


def test_an_edited_view_is_recreated_by_an_upgrade(fresh: Store) -> None:
    upgrade(fresh)
    assert "answer" not in columns(fresh)
    with edited_views():
        upgrade(fresh)
        fresh.check_schema()
    assert columns(fresh)[0] == "answer"


def test_sqlite_recreates_an_edited_view_when_opened_and_postgresql_refuses_it_in_a_sentence(
    fresh: Store,
) -> None:
    upgrade(fresh)
    job_id = a_job(fresh)
    with edited_views():
        if fresh.is_sqlite:
            open_store(str(fresh.url)).close()
            assert columns(fresh)[0] == "answer"
        else:
            with pytest.raises(
                OldSchemaError, match=r"has views of an older docmill: run `docmill db upgrade`"
            ):
                fresh.check_schema()
            assert "answer" not in columns(fresh)
    assert sql(fresh, "SELECT job_id FROM v_job_progress") == [(job_id,)]


def test_doctor_shows_older_views_as_bad_with_the_fix(fresh: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    from docmill.cli import app

    upgrade(fresh)
    monkeypatch.setenv("DOCMILL_DATABASE_URL", fresh.url.render_as_string(hide_password=False))
    with edited_views():
        said = CliRunner().invoke(app, ["doctor"])
    [line] = [line for line in said.stdout.splitlines() if "store:" in line]
    if fresh.is_sqlite:
        # It has been opened.
        assert line.startswith("ok ")
        assert columns(fresh)[0] == "answer"
    else:
        assert line.startswith("BAD ")
        assert "docmill db upgrade" in said.stdout
        assert said.exit_code == 1


def test_views_from_before_they_were_numbered_are_older(fresh: Store) -> None:
    upgrade(fresh)
    sql(fresh, "UPDATE view_digest SET digest = '0123456789abcdef' RETURNING 1")
    assert not fresh.has_usable_views()
    upgrade(fresh)
    assert fresh.has_usable_views()


def test_an_older_docmill_works_with_newer_views_and_leaves_them(fresh: Store) -> None:
    with edited_views():
        upgrade(fresh)
        newer = view_digest.digest()
    job_id = a_job(fresh)

    fresh.check_schema()
    upgrade(fresh)
    open_store(fresh.url.render_as_string(hide_password=False)).close()

    assert columns(fresh)[0] == "answer"
    assert sql(fresh, "SELECT digest FROM view_digest") == [(newer,)]
    assert sql(fresh, "SELECT job_id FROM v_job_progress") == [(job_id,)]


def test_a_view_that_was_edited_twice_before_a_release_is_recreated_too(fresh: Store) -> None:
    """Same number, another hash: the views of somebody's working copy."""
    with edited_views():
        upgrade(fresh)
    with edited_views(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(view_digest, "VIEWS", views.VIEWS)
        assert not fresh.has_usable_views()
        upgrade(fresh)
        assert "answer" not in columns(fresh)
