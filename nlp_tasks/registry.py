"""The kinds of jobs that docmill brings."""

from __future__ import annotations

from importlib import import_module

from nlp_tasks.kind import Kind

#: Modules that have a tuple `KINDS`.
MODULES = (
    "nlp_tasks.extraction",
    "nlp_tasks.summarization",
    "nlp_tasks.summarization.abstractive",
    "nlp_tasks.keywords",
    "nlp_tasks.entities",
    "nlp_tasks.generation",
    "nlp_tasks.evaluation",
    "nlp_tasks.classification",
    "nlp_tasks.classification.shadow",
    "nlp_tasks.similarity",
    "nlp_tasks.similarity.embedding",
    "nlp_tasks.word_vectors",
)

#: Every kind by name.
KINDS: dict[str, Kind] = {kind.name: kind for module in MODULES for kind in import_module(module).KINDS}
