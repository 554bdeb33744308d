"""What a model knows beside the marked texts: clusters of words of all texts, and the names of a gazetteer."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from nlp_tasks import heartbeat
from nlp_tasks.entities import TrainEntitiesParameters, gazetteer_files, word_clusters
from nlp_tasks.entities.features import Known
from nlp_tasks.errors import TrainingError
from nlp_tasks.kind import Documents


def known(documents: Documents, held_out: Collection[str], parameters: TrainEntitiesParameters) -> Known:
    """From the documents, with marks and without, but for those held out. TrainingError for a gazetteer that cannot be
    read."""
    clusters = None
    if parameters.clusters == "auto":
        clusters = word_clusters.learn(_texts(documents, held_out))
    names = None
    if parameters.gazetteer:
        names = gazetteer_files.opened(parameters.gazetteer, TrainingError)
    return Known(clusters, names)


def _texts(documents: Documents, held_out: Collection[str]) -> Iterator[str]:
    for document in heartbeat.beating(documents):
        if document.key not in held_out:
            yield document.text
