"""Every kind of job that docmill brings. A new kind is one module and one entry here."""

from __future__ import annotations

from nlp_tasks.classification import CLASSIFY, TRAIN_CLASSIFY
from nlp_tasks.classification.shadow import SHADOW_CLASSIFY
from nlp_tasks.evaluation import EVALUATE
from nlp_tasks.keywords import KEYWORDS
from nlp_tasks.kind import Kind
from nlp_tasks.similarity import SIMILARITY, TRAIN_SIMILARITY
from nlp_tasks.summarization import SUMMARIZE
from nlp_tasks.summarization.abstractive import TRAIN_SUMMARIZER

KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        SUMMARIZE, KEYWORDS, EVALUATE, CLASSIFY, SHADOW_CLASSIFY, SIMILARITY,
        TRAIN_CLASSIFY, TRAIN_SIMILARITY, TRAIN_SUMMARIZER,
    )
}  # fmt: skip
