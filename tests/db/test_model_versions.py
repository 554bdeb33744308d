"""Names of models: versions, aliases, promotion and the way back."""

from __future__ import annotations

import pytest
from sqlalchemy.exc import IntegrityError

from db import model_versions
from db.errors import ConflictError, NotFoundError
from db.gates import Judged, Judgement
from db.model_versions import Version
from db.store import Store
from tests.db.builders import a_job, sql


def _train(
    store: Store, name: str = "news", kind: str = "train-classify", judgement: Judgement | None = None
) -> int:
    """A training job that has built a model; returns the version."""
    job_id = a_job(store, 2, kind=kind, model_ref=name)
    with store.write() as session:
        made = model_versions.register(
            session, job_id, f"{name}/job-{job_id}", "ab" * 32, {"accuracy": 0.9}, judgement
        )
    return made.version


def _resolve(store: Store, ref: str, kind: str = "train-classify") -> Version:
    with store.read() as session:
        return model_versions.resolve(session, ref, kind)


def test_versions_are_numbered_from_one_and_the_newest_is_the_champion(store: Store) -> None:
    assert [_train(store), _train(store)] == [1, 2]
    assert _resolve(store, "news").ref == "news@2"
    assert _resolve(store, "news@1").version == 1
    assert _resolve(store, "news@champion").version == 2


def test_a_job_makes_one_version_however_often_it_ends(store: Store) -> None:
    job_id = a_job(store, 2, kind="train-classify", model_ref="news")
    with store.write() as session:
        model_versions.register(session, job_id, "news/a", "ab", {})
    with pytest.raises(IntegrityError), store.write() as session:
        model_versions.register(session, job_id, "news/b", "cd", {})
    assert _resolve(store, "news").path == "news/a"


@pytest.mark.parametrize("ref", ["other", "news@9", "news@loser"])
def test_what_does_not_exist_is_refused(store: Store, ref: str) -> None:
    _train(store)
    with pytest.raises(NotFoundError):
        _resolve(store, ref)


def test_a_model_of_another_kind_is_refused(store: Store) -> None:
    _train(store)
    with pytest.raises(ConflictError, match="train-classify"):
        _resolve(store, "news", "train-similarity")


def test_promoting_moves_the_alias_and_rollback_moves_it_back(store: Store) -> None:
    _train(store)
    _train(store)
    with store.write() as session:
        assert model_versions.promote(session, "news@1").version == 1
    assert _resolve(store, "news").version == 1
    with store.write() as session:
        assert model_versions.rollback(session, "news").version == 2
    assert _resolve(store, "news").version == 2


def test_a_rollback_of_what_never_moved_is_refused(store: Store) -> None:
    _train(store)
    with pytest.raises(ConflictError, match="never"), store.write() as session:
        model_versions.rollback(session, "news")


def test_an_alias_of_ones_own_choice(store: Store) -> None:
    _train(store)
    _train(store)
    with store.write() as session:
        model_versions.promote(session, "news@1", "night")
    assert (_resolve(store, "news@night").version, _resolve(store, "news").version) == (1, 2)


def test_the_only_model_of_a_kind_needs_no_name(store: Store) -> None:
    with store.read() as session, pytest.raises(NotFoundError, match="docmill train classify"):
        model_versions.sole_model(session, "train-classify")
    _train(store)
    with store.read() as session:
        assert model_versions.sole_model(session, "train-classify") == "news"
    _train(store, "reviews")
    with store.read() as session, pytest.raises(NotFoundError, match="news, reviews"):
        model_versions.sole_model(session, "train-classify")


def test_the_listing_shows_versions_newest_first_with_aliases_and_metrics(store: Store) -> None:
    _train(store)
    _train(store)
    with store.read() as session:
        newest, oldest = model_versions.listing(session, "news")
        with pytest.raises(NotFoundError):
            model_versions.listing(session, "none")
    assert (newest["version"], newest["aliases"], newest["metrics"]) == (2, ["champion"], {"accuracy": 0.9})
    assert (oldest["version"], oldest["aliases"]) == (1, [])


@pytest.mark.parametrize("name", ["", "a@b", "a\nb", " a", "x" * 101])
def test_a_malformed_name_is_refused(store: Store, name: str) -> None:
    with store.read() as session, pytest.raises(ConflictError):
        model_versions.check_name(session, name, "train-classify")


def test_a_name_that_belongs_to_another_kind_is_refused(store: Store) -> None:
    _train(store)
    with store.read() as session:
        model_versions.check_name(session, "news", "train-classify")
        with pytest.raises(ConflictError, match="train-classify"):
            model_versions.check_name(session, "news", "train-similarity")


def _judgement(store: Store, overlap: float) -> Judgement:
    """What a gate says that wants an overlap of 0.3 with the champion of now."""
    with store.read() as session:
        champion = model_versions.champion(session, "news")
    figures = [Judged("overlap", overlap, 0.3, None, overlap >= 0.3), Judged("unknown", 0.1, None, 0.2, True)]
    return Judgement(champion.id if champion is not None else None, figures)


def _note(store: Store, version: int) -> str:
    return str(sql(store, "SELECT note FROM job ORDER BY id")[version - 1][0])


def test_the_first_version_is_the_champion_whatever_its_gate_says(store: Store) -> None:
    _train(store, judgement=_judgement(store, 0.0))
    assert _resolve(store, "news").version == 1
    assert _note(store, 1) == "news@1 is the champion now"


def test_a_version_that_passes_its_gate_replaces_the_champion(store: Store) -> None:
    _train(store)
    _train(store, judgement=_judgement(store, 0.31))
    assert _resolve(store, "news").version == 2


def test_a_version_that_its_gate_refuses_leaves_the_champion_and_says_so(store: Store) -> None:
    _train(store)
    _train(store, judgement=_judgement(store, 0.29))
    assert _resolve(store, "news").version == 1
    words = "overlap 0.29 (at least 0.3: missed), unknown 0.1 (at most 0.2)"
    assert _note(store, 2) == f"news@1 stays the champion, the gate refused the new version: {words}"
    with store.read() as session:
        newest, oldest = model_versions.listing(session, "news")
    assert oldest["gate"] is None
    assert (newest["gate"]["passed"], newest["gate"]["beside_version"], newest["gate"]["words"]) == (
        False,
        1,
        words,
    )


def test_what_was_judged_beside_a_champion_of_before_is_not_promoted_by_itself(store: Store) -> None:
    _train(store)
    judgement = _judgement(store, 0.9)
    _train(store)
    _train(store, judgement=judgement)
    assert _resolve(store, "news").version == 2
    assert "beside another" in _note(store, 3)


def test_promoting_what_the_gate_refused_takes_force(store: Store) -> None:
    _train(store)
    _train(store, judgement=_judgement(store, 0.1))
    with (
        pytest.raises(ConflictError, match=r"overlap 0\.1 \(at least 0\.3: missed\).*--force"),
        store.write() as s,
    ):
        model_versions.promote(s, "news@2")
    assert _resolve(store, "news").version == 1
    with store.write() as session:
        model_versions.promote(session, "news@2", "night")
        model_versions.promote(session, "news@2", force=True)
    assert _resolve(store, "news").version == 2
