"""Summaries, of a document's own sentences or in new words: the kind `summarize`, its parameters and its rows.

Knows no torch: the work is in `runner` and in `abstractive.runner`, imported when a stage is opened.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from nlp_tasks.kind import Kind, Runner, Setup, Stage

#: Methods that choose sentences of the document.
METHODS = ("textrank", "lexrank", "centroid", "lead")
#: The method that writes new sentences, with a model.
ABSTRACTIVE = "abstractive"
#: How the next word of a new sentence is chosen.
SEARCHES = ("beam", "greedy", "sample")
#: A summary has at most so many sentences and characters, and a query so many characters.
MOST_SENTENCES = 10_000
MOST_CHARS = 10_000_000
MOST_QUERY_CHARS = 10_000


@dataclass(frozen=True)
class SummarizeParameters:
    """How to summarize, and how much of a document to keep."""

    method: str = "textrank"
    #: How many sentences a summary has; fewer when the document, or `max_chars`, has no room for them.
    sentences: int = 3
    #: The share of the document's sentences to keep, instead of a number of them; 0 for the number.
    ratio: float = 0.0
    #: No more characters than this, unless the best sentence alone has more; 0 for no limit.
    max_chars: int = 0
    #: What the summary should be about; empty for what the document is about.
    query: str = ""
    #: How much being said already counts against a sentence (MMR), from 0 to 1.
    diversity: float = 0.25
    #: How much standing at the document's beginning counts for a sentence, 0 for nothing; unused with a query.
    position: float = 1.25
    # What follows is for the method abstractive only.
    #: The folder of a transformers encoder-decoder; empty for a model that docmill trained.
    pretrained: str = ""
    search: str = "beam"
    #: Texts that are followed up at once by the search `beam`.
    beams: int = 4
    #: No so many words (tokens) in a row are written twice; 0 for any.
    no_repeat: int = 3
    #: The most tokens that are written; 0 for what the model was made for.
    max_tokens: int = 0
    #: For the search `sample`: below 1 keeps to the probable, above 1 strays from it.
    temperature: float = 1.0
    #: For the search `sample`: draw from the k most probable tokens; 0 for all.
    top_k: int = 0
    #: For the search `sample`: draw from the most probable tokens that together have this probability.
    top_p: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        methods = (*METHODS, ABSTRACTIVE)
        if self.method not in methods:
            raise ValueError(f"method must be one of {', '.join(methods)}, not {self.method!r}")
        self._check_extractive()
        self._check_abstractive()

    def _check_extractive(self) -> None:
        if not 1 <= self.sentences <= MOST_SENTENCES:
            raise ValueError(f"sentences must be from 1 to {MOST_SENTENCES}, not {self.sentences}")
        if not 0 <= self.ratio <= 1:
            raise ValueError(f"ratio must be from 0 to 1, not {self.ratio}")
        if not 0 <= self.max_chars <= MOST_CHARS:
            raise ValueError(f"max_chars must be from 0 (no limit) to {MOST_CHARS}, not {self.max_chars}")
        if len(self.query) > MOST_QUERY_CHARS:
            raise ValueError(f"query has {len(self.query)} characters; {MOST_QUERY_CHARS} are allowed")
        if not 0 <= self.diversity < 1:
            raise ValueError(f"diversity must be from 0 to below 1, not {self.diversity}")
        if not 0 <= self.position <= 10:
            raise ValueError(f"position must be from 0 to 10, not {self.position}")

    def _check_abstractive(self) -> None:
        if self.pretrained and self.method != ABSTRACTIVE:
            raise ValueError(f"pretrained is for method={ABSTRACTIVE} only")
        if self.search not in SEARCHES:
            raise ValueError(f"search must be one of {', '.join(SEARCHES)}, not {self.search!r}")
        if not 1 <= self.beams <= 32:
            raise ValueError(f"beams must be from 1 to 32, not {self.beams}")
        for name, most in (
            ("no_repeat", 100),
            ("max_tokens", 1024),
            ("top_k", 1_000_000),
            ("seed", 2**31 - 1),
        ):
            if not 0 <= getattr(self, name) <= most:
                raise ValueError(f"{name} must be from 0 to {most}, not {getattr(self, name)}")
        if not 0.01 <= self.temperature <= 100:
            raise ValueError(f"temperature must be from 0.01 to 100, not {self.temperature}")
        if not 0 < self.top_p <= 1:
            raise ValueError(f"top_p must be above 0 and at most 1, not {self.top_p}")


@dataclass(frozen=True, slots=True)
class SummaryRow:
    """One document's summary."""

    table: ClassVar[str] = "summary"

    #: The chosen sentences in document order, a blank between them; or what the model wrote.
    summary: str
    method: str
    #: How many sentences the document has.
    n_sentences: int


@dataclass(frozen=True, slots=True)
class SummarySentenceRow:
    """One sentence of a summary, and where in the document it stands. There is none in new words."""

    table: ClassVar[str] = "summary_sentence"

    #: Its place in the summary, from 1, in document order.
    position: int
    #: `text[start_char:end_char]` is the sentence as the document has it, with its markup if there is any.
    start_char: int
    end_char: int
    #: Its importance, relative to the document's most important sentence (1.0).
    score: float


def _open(setup: Setup) -> Runner:
    if setup.parameters.method == ABSTRACTIVE:
        from nlp_tasks.summarization.abstractive.runner import AbstractiveSummarizer

        return AbstractiveSummarizer(setup)
    from nlp_tasks.summarization.extractive.runner import Summarizer

    return Summarizer(setup)


def _needs_model(parameters: SummarizeParameters) -> bool:
    return parameters.method == ABSTRACTIVE and not parameters.pretrained


SUMMARIZE = Kind(
    name="summarize",
    summary="Write a summary of each document: its most important sentences, or new ones",
    parameters=SummarizeParameters,
    rows=(SummaryRow, SummarySentenceRow),
    stages=(Stage("summarize", _open),),
    model_from="train-summarizer",
    needs_model=_needs_model,
    chunk_documents=512,
    chunk_chars=2_000_000,
    help={
        "method": f"one of {', '.join(METHODS)}; or {ABSTRACTIVE}: new sentences, with a model",
        "sentences": "how many sentences to keep",
        "ratio": "the share of the sentences to keep, instead of their number; 0 for the number",
        "max_chars": "the most characters a summary may have; 0 for no limit",
        "query": "what the summary should be about",
        "diversity": "how much repetition counts against a sentence, 0 to 1",
        "position": "how much standing early counts for a sentence, 0 for nothing",
        "pretrained": "abstractive: the local folder of a transformers encoder-decoder, instead of --model",
        "search": f"abstractive: one of {', '.join(SEARCHES)}",
        "beams": "abstractive: texts that beam search follows up at once",
        "no_repeat": "abstractive: no so many tokens in a row are written twice; 0 for any",
        "max_tokens": "abstractive: the most tokens that are written; 0 for the model's own limit",
        "temperature": "abstractive, sample: below 1 keeps to the probable",
        "top_k": "abstractive, sample: draw from the k most probable tokens; 0 for all",
        "top_p": "abstractive, sample: draw from the most probable tokens that together have this probability",
        "seed": "abstractive, sample: the same seed draws the same texts",
    },
)
