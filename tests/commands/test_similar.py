"""docmill similar, and the life of a similarity model as the shell shows it."""

from __future__ import annotations

from pathlib import Path

from tests.commands.conftest import Shell
from tests.db.builders import chunks_of, outcomes, sql

TEXTS = (
    "해군 함대가 태평양에서 훈련을 했다",
    "태평양에서 해군의 함대 훈련이 끝났다",
    "the central bank raised interest rates again",
    "interest rates were raised by the bank",
)
TRAIN = ("train", "similarity", "--collection", "inbox", "--model", "m", "--json")
SMALL = tuple(
    word for pair in ("vector_size=8", "epochs=20", "min_count=1", "sample=0") for word in ("-p", pair)
)


def test_neighbours_of_a_document_are_shown_with_the_words_they_share(shell_on_both: Shell) -> None:
    shell = shell_on_both
    shell.texts(*TEXTS)
    assert "no neighbours yet: docmill submit similarity" in shell("similar", "k0").out
    shell.work(shell(*TRAIN, *SMALL).json["job"])
    job_id = shell.done("similarity", "--collection", "inbox", "-p", "method=hybrid", "-p", "terms=4")

    first = shell("similar", "k0", "-k", "1", "--json").json
    assert [row["neighbour_key"] for row in first] == ["k1"]
    assert {each["term"] for each in first[0]["terms"]} == {"해군", "함대", "태평양", "훈련"}
    said = shell("similar", "k3", "--collection", "inbox").out
    assert "k2" in said.splitlines()[2]
    assert "rates" in said
    rows = sql(
        shell.store, "SELECT * FROM v_similar_terms WHERE document_key = 'k0' ORDER BY rank, term_rank"
    )
    assert [(row.neighbour_key, row.term_rank, row.job_id) for row in rows[:2]] == [
        ("k1", 1, job_id),
        ("k1", 2, job_id),
    ]
    assert shell("verify", job_id, "--json").json["differences"] == []


def test_a_document_that_is_not_there_or_in_two_collections_is_said(shell: Shell) -> None:
    shell.texts("one")
    shell.texts("one", collection="other")
    assert "choose with --collection" in shell("similar", "k0", status=1).err
    assert (
        "there is no document 'k9' in collection 'other'"
        in shell("similar", "k9", "--collection", "other", status=1).err
    )


def test_an_exported_model_infers_in_gensim_what_the_stored_one_does(shell: Shell, tmp_path: Path) -> None:
    from gensim.models.doc2vec import Doc2Vec

    from nlp_tasks.similarity.model import rebuild

    shell.texts(*TEXTS)
    shell.work(shell(*TRAIN, *SMALL).json["job"])
    said = shell("models", "export", "m", tmp_path / "new" / "folder")
    assert said.out.startswith("m@1 is in ")

    exported = Doc2Vec.load(str(tmp_path / "new" / "folder" / "doc2vec.model"))
    [stored_in] = shell.process.settings.models_path.glob("m/*")
    stored = rebuild(stored_in)
    for one in (exported, stored):
        one.random.seed(5)
    words = ["해군", "interest", "rates"]
    assert exported.infer_vector(words, epochs=7).tobytes() == stored.infer_vector(words, epochs=7).tobytes()
    assert exported.wv.index_to_key == stored.wv.index_to_key


def test_what_cannot_be_exported_says_so(shell: Shell, tmp_path: Path) -> None:
    shell.texts("good film", "bad film", labels=["yes", "no"])
    shell.work(shell("train", "gated", "--collection", "inbox", "--model", "g", "--json").json["job"])
    assert "g@1 was made by train-gated, whose models cannot be exported" in (
        shell("models", "export", "g", tmp_path, status=2).err
    )


def test_a_document_without_known_words_fails_once_and_nothing_is_tried_again(shell_on_both: Shell) -> None:
    shell = shell_on_both
    shell.texts(*TEXTS)
    shell.work(shell(*TRAIN, *SMALL).json["job"])
    shell.texts(*TEXTS, "zxqv wvut", "   ", "qqq www", collection="inbox")

    job_id = shell.done("similarity", "--collection", "inbox")

    assert outcomes(shell.store, job_id) == dict.fromkeys(("k0", "k1", "k2", "k3"), "ok") | {
        "k4": "NO_KNOWN_WORDS",
        "k5": "EMPTY_TEXT",
        "k6": "NO_KNOWN_WORDS",
    }
    assert [(chunk.fence, chunk.fault) for chunk in chunks_of(shell.store, job_id)] == [(1, None)] * 2


def test_documents_near_to_a_text_are_found_at_once(shell_on_both: Shell) -> None:
    shell = shell_on_both
    shell.texts(*TEXTS)
    assert "docmill submit similarity --collection inbox" in (
        shell("similar", "--text", "함대", "--collection", "inbox", status=1).err
    )
    shell.work(shell(*TRAIN, *SMALL).json["job"])
    shell.done("similarity", "--collection", "inbox")

    found = shell("similar", "--text", "해군 함대의 훈련", "--collection", "inbox", "--json").json
    assert {row["document_key"] for row in found[:2]} == {"k0", "k1"}
    assert len(found) == 4
    [one] = shell("similar", "--text", "해군 함대의 훈련", "--where", "key = 'k2'", "--json").json
    assert one["document_key"] == "k2"
    said = shell("similar", "--text", TEXTS[2], "-k", "1", "--model", "m")
    assert "m@1" in said.err
    assert "k2" in said.out


def test_a_text_itself_is_nearest_to_its_document(shell: Shell) -> None:
    shell.texts(*TEXTS)
    shell.work(shell(*TRAIN, *SMALL).json["job"])
    shell.done("similarity", "--collection", "inbox")
    for key, text in enumerate(TEXTS):
        [first] = shell("similar", "--text", text, "-k", "1", "--json").json
        assert (first["document_key"], round(first["score"], 3)) == (f"k{key}", 1.0)


def test_words_and_nearness_together_find_what_words_alone_do_not(shell_on_both: Shell) -> None:
    shell = shell_on_both
    shell.texts(*TEXTS)
    shell("index")
    assert [row["document_key"] for row in shell("search", "again", "--hybrid", "--json").json] == ["k2"]
    shell.work(shell(*TRAIN, *SMALL).json["job"])
    shell.done("similarity", "--collection", "inbox")
    both = [row["document_key"] for row in shell("search", "again", "--hybrid", "--json").json]
    assert (both[0], set(both)) == ("k2", {"k0", "k1", "k2", "k3"})
    only = shell("search", "+again", "--hybrid", "--collection", "inbox", "--json").json
    assert [row["document_key"] for row in only] == ["k2"]


def test_what_similar_cannot_do_is_said(shell: Shell) -> None:
    shell.texts(*TEXTS)
    assert "docmill similar KEY" in shell("similar", status=2).err
    assert "docmill similar KEY" in shell("similar", "k0", "--text", "a", status=2).err
    assert "are for --text" in shell("similar", "k0", "--model", "m", status=2).err
    shell.work(shell(*TRAIN, *SMALL).json["job"])
    shell.done("similarity", "--collection", "inbox")
    assert "is in the vocabulary of" in shell("similar", "--text", "zzz", status=2).err
