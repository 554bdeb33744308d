"""Initial embeddings of tokens, learned from the documents by skip-grams (Mikolov et al. 2013) with gensim.

There are few summaries, but long documents: embeddings are learned from all the text first.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from nlp_tasks.kind import Document, Progress
from nlp_tasks.summarization.abstractive.subwords import Subwords

EPOCHS, WINDOW, NEGATIVE = 3, 5, 5
#: The standard deviation of the vectors, the same as that of the network's other embeddings.
SPREAD = 0.1


@dataclass(frozen=True)
class _Tokens:
    """The documents as lists of tokens; may be iterated several times."""

    documents: Sequence[Document]
    subwords: Subwords
    progress: Progress

    def __iter__(self) -> Iterator[list[str]]:
        for document in self.documents:
            yield [str(id_) for id_ in self.subwords.encode(f"{document.label}\n{document.text}")]
            self.progress(0, 1, "learning word embeddings")


def learn(
    table: nn.Embedding, documents: Sequence[Document], subwords: Subwords, seed: int, progress: Progress
) -> None:
    """Set the rows of the tokens that occur in the documents. One thread: the same seed gives the same vectors."""
    from gensim.models import Word2Vec

    model = Word2Vec(
        vector_size=table.embedding_dim, window=WINDOW, negative=NEGATIVE, sg=1, min_count=3, sample=1e-4,
        workers=1, seed=seed, epochs=EPOCHS,
    )  # fmt: skip
    tokens = _Tokens(documents, subwords, progress)
    model.build_vocab(tokens)
    if not len(model.wv):
        return
    model.train(tokens, total_examples=model.corpus_count, epochs=EPOCHS)
    rows = np.array([int(name) for name in model.wv.index_to_key])
    vectors = model.wv.vectors - model.wv.vectors.mean(axis=0)
    with torch.no_grad():
        table.weight[torch.from_numpy(rows)] = torch.from_numpy(vectors * (SPREAD / vectors.std())).to(
            table.weight
        )
