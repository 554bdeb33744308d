"""Other ways to find entities: a plain CRF over characters, sklearn-crfsuite with the features of its tutorial, and
spaCy's training from scratch.

    pip install sklearn-crfsuite spacy
"""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from typing import Any

from benchmarks.entities_data import Marked
from nlp_tasks.entities.spans import Entity, Unit, entities, tags

#: Regularisation and iterations as in the tutorial of sklearn-crfsuite.
TUTORIAL = {
    "algorithm": "lbfgs",
    "c1": 0.1,
    "c2": 0.1,
    "max_iterations": 100,
    "all_possible_transitions": True,
}
#: spaCy has converged after this number of epochs without a better one.
PATIENCE = 4


def characters(train: Sequence[Marked], test: Sequence[Marked]) -> list[list[Entity]]:
    """A CRF over the characters of a text, with the characters around each and whether a blank is beside it."""
    return _crf(
        [(_characters(each), each) for each in train],
        [(_characters(each), each) for each in test],
        _of_characters,
    )


def tutorial(train: Sequence[Marked], test: Sequence[Marked]) -> list[list[Entity]]:
    """sklearn-crfsuite with the features of its tutorial over the given tokens; these sets have no parts of speech."""
    return _crf([(each.tokens, each) for each in train], [(each.tokens, each) for each in test], _of_tokens)


def _crf(train: Any, test: Any, features: Any) -> list[list[Entity]]:
    from sklearn_crfsuite import CRF

    model = CRF(**TUTORIAL)
    usable = [(units, each) for units, each in train if units]
    model.fit(
        [features(each.document.text, units) for units, each in usable],
        [tags(units, each.entities) for units, each in usable],
    )
    predicted = model.predict([features(each.document.text, units) for units, each in test])
    return [
        [one for one, _ in entities(units, list(named))]
        for (units, _), named in zip(test, predicted, strict=True)
    ]


def _characters(each: Marked) -> list[Unit]:
    return [(place, place + 1) for place, char in enumerate(each.document.text) if not char.isspace()]


def _of_characters(text: str, units: Sequence[Unit]) -> list[dict[str, Any]]:
    chars = [text[start:end] for start, end in units]

    def at(place: int) -> str:
        return chars[place] if 0 <= place < len(chars) else "#"

    found = []
    for place, (start, end) in enumerate(units):
        row: dict[str, Any] = {"bias": 1.0}
        row |= {f"c{by}": at(place + by) for by in range(-3, 4)}
        row |= {f"cc{by}": at(place + by) + at(place + by + 1) for by in range(-2, 2)}
        row |= {f"ccc{by}": at(place + by) + at(place + by + 1) + at(place + by + 2) for by in range(-2, 1)}
        row["begins"] = start == 0 or text[start - 1].isspace()
        row["ends"] = end == len(text) or text[end].isspace()
        row["digit"] = chars[place].isdigit()
        found.append(row)
    return found


def _of_tokens(text: str, units: Sequence[Unit]) -> list[dict[str, Any]]:
    words = [text[start:end] for start, end in units]
    found = []
    for place, word in enumerate(words):
        row: dict[str, Any] = {
            "bias": 1.0,
            "word[-3:]": word[-3:],
            "word[-2:]": word[-2:],
            **_of_word("", word),
        }
        row["word.isdigit()"] = word.isdigit()
        row |= _of_word("-1:", words[place - 1]) if place else {"BOS": True}
        row |= _of_word("+1:", words[place + 1]) if place + 1 < len(words) else {"EOS": True}
        found.append(row)
    return found


def _of_word(prefix: str, word: str) -> dict[str, Any]:
    return {
        f"{prefix}word.lower()": word.lower(),
        f"{prefix}word.istitle()": word.istitle(),
        f"{prefix}word.isupper()": word.isupper(),
    }


def spacy(
    train: Sequence[Marked], test: Sequence[Marked], language: str, seconds: float
) -> tuple[list[list[Entity]], str]:
    """spaCy's NER (tok2vec) from scratch, until several epochs in a row were no better on a tenth of the documents,
    within a limit of processor time; the best of its epochs. Also says which of the two ended it."""
    import spacy as library
    from spacy.training import Example

    library.util.fix_random_seed(1)
    nlp = library.blank(language)
    ner = nlp.add_pipe("ner")
    examples = []
    for each in train:
        doc = nlp.make_doc(each.document.text)
        spans = [doc.char_span(e.start, e.end, e.label, alignment_mode="expand") for e in each.entities]
        kept = library.util.filter_spans([span for span in spans if span is not None])
        examples.append(
            Example.from_dict(doc, {"entities": [(s.start_char, s.end_char, s.label_) for s in kept]})
        )
        for span in kept:
            ner.add_label(span.label_)
    tuning, learning = examples[::10], [each for place, each in enumerate(examples) if place % 10]
    optimizer = nlp.initialize(lambda: learning)
    draw, best, kept_model = random.Random(1), -1.0, nlp.to_bytes()
    started, since, epochs = time.process_time(), 0, 0
    while time.process_time() - started < seconds and since < PATIENCE:
        epochs += 1
        draw.shuffle(learning)
        for batch in library.util.minibatch(learning, library.util.compounding(4.0, 32.0, 1.001)):
            nlp.update(list(batch), sgd=optimizer, drop=0.2)
        score = nlp.evaluate(tuning)["ents_f"] or 0.0
        since = 0 if score > best else since + 1
        if score > best:
            best, kept_model = score, nlp.to_bytes()
    nlp.from_bytes(kept_model)
    found = [
        [Entity(span.start_char, span.end_char, span.label_) for span in doc.ents]
        for doc in nlp.pipe(each.document.text for each in test)
    ]
    return found, f"{epochs} epochs, {'converged' if since >= PATIENCE else 'stopped by time'}"
