"""Clusters of words: what they say of words, that they are the same again, and what a model gains by them."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from nlp_tasks.entities import TRAIN_ENTITIES, TrainEntitiesParameters, architecture, clusters, word_clusters
from nlp_tasks.entities.spans import Entity
from nlp_tasks.kind import Document

WORDS = [f"{a}{b}{c}" for a in "bdfgklmnpr" for b in "aeiou" for c in ("rin", "los", "mut", "kan", "vex")]
#: Their spelling does not tell them apart.
random.Random(1).shuffle(WORDS)
PLACES, FRUITS = WORDS[:125], WORDS[125:]
#: What the marked texts say of both.
OF_BOTH = "he said that {} was good"
PATTERNS = (
    (PLACES, ("he lives in {} now", "we went to {} today", "all of {} is far", OF_BOTH)),
    (FRUITS, ("he eats a {} now", "we bought my {} today", "one sweet {} is red", OF_BOTH)),
)
N = 22_000


def sentences(n: int) -> Iterator[str]:
    draw = random.Random(0)
    for _ in range(n):
        of_kind, patterns = draw.choice(PATTERNS)
        yield draw.choice(patterns).format(draw.choice(of_kind))


@pytest.fixture(scope="module")
def found() -> clusters.Clusters:
    learned = word_clusters.learn(sentences(N))
    assert learned is not None
    return learned


def test_words_with_the_same_neighbours_share_clusters(found: clusters.Clusters) -> None:
    of_places, of_fruits = ({found.of(word) for word in words} for words in (PLACES, FRUITS))

    assert found.sizes == (50,)
    assert None not in of_places | of_fruits
    assert not of_places & of_fruits
    assert found.of("unheard") is None
    assert found.of(PLACES[0].upper()) == found.of(PLACES[0])


def test_the_same_texts_give_the_same_clusters_and_they_are_read_as_written(
    found: clusters.Clusters, tmp_path: Path
) -> None:
    assert word_clusters.learn(sentences(N)) == found
    found.save(tmp_path)
    assert clusters.load(tmp_path) == found


def test_too_little_text_gives_no_clusters() -> None:
    assert word_clusters.learn(["가나다 라마바"] * 100) is None
    assert word_clusters.learn([]) is None


class Listed(list[Document]):
    """Documents of a training."""


def test_a_model_knows_names_that_only_texts_without_marks_have(tmp_path: Path) -> None:
    marked = []
    for number, word in enumerate([*PLACES[:60], *FRUITS[:60]] * 3):
        text = OF_BOTH.format(word)
        marks = [[one.start, one.end, one.label] for one in places(text)]
        marked.append(Document(number, f"m{number}", text, meta={"entities": marks}))
    plain = [Document(1_000 + n, f"p{n}", text) for n, text in enumerate(sentences(N))]
    unseen = [OF_BOTH.format(word) for word in [*PLACES[60:], *FRUITS[60:]]]
    assert TRAIN_ENTITIES.train is not None

    hits = {}
    for chosen in ("auto", "none"):
        folder = tmp_path / chosen
        folder.mkdir()
        parameters = TrainEntitiesParameters(clusters=chosen, iterations=40)  # type: ignore[arg-type]
        metrics = TRAIN_ENTITIES.train(Listed(marked + plain), parameters, "cpu", folder, lambda *_: None)
        assert (metrics["n_words_with_clusters"] > 0) == (chosen == "auto")
        assert metrics["n_train"] + metrics["n_held_out"] == len(marked)
        answers = architecture.load(folder, "cpu").find(unseen)
        pairs = zip(answers, unseen, strict=True)
        hits[chosen] = sum([one.entity for one in each] == places(text) for each, text in pairs)

    assert hits["auto"] > 0.9 * len(unseen)
    assert hits["none"] < 0.7 * len(unseen)  # half of them by chance


def places(text: str) -> list[Entity]:
    """The places that a sentence has."""
    return [Entity(text.index(word), text.index(word) + len(word), "LOC") for word in PLACES if word in text]
