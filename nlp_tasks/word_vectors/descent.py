"""Word2Vec by the compiled stochastic gradient descent of gensim, on one thread.

The steps are those of gensim's `Word2Vec.train` with one worker, bit for bit: the same batches, learning rates and
random numbers. Here they run in this thread, with a heartbeat and a possible checkpoint between any two batches.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nlp_tasks import heartbeat, training_curve
from nlp_tasks.checkpoint import Checkpoint
from nlp_tasks.similarity.corpus import Corpus
from nlp_tasks.word_vectors import TrainWordsParameters

if TYPE_CHECKING:
    from gensim.models import Word2Vec

#: MAX_SENTENCE_LEN in gensim: a batch has at most this many words, and the rest of a longer sentence is ignored.
MOST_BATCH_WORDS = 10_000
#: Multiplications of a batch, about: a fifth of a second. Batches of the largest models have fewer words, but enough
#: for their windows.
BATCH_MULTIPLICATIONS, LEAST_BATCH_WORDS = 300_000_000, 1_000

Batch = list[list[int]]


def fit(
    corpus: Corpus,
    parameters: TrainWordsParameters,
    progress: Callable[[int, int], None],
    checkpoint: Checkpoint,
) -> NDArray[np.float32]:
    """The vectors of the corpus's words (V, D). `progress` gets (epoch, words done in it). Resumes from the checkpoint,
    with the same result."""
    model = untrained(parameters, corpus.counts)
    first_epoch, n_skipped, total = _restore(model, checkpoint)
    step = _Step(model)
    n_words = batch_words(parameters)
    n_sentences = sum(len(batch) for batch in batches(corpus, n_words))
    for epoch in range(first_epoch, parameters.epochs):
        n_done = n_sentences_done = 0
        for number, batch in enumerate(batches(corpus, n_words)):
            n_in_batch = sum(map(len, batch))
            if number >= n_skipped:
                done = (epoch + n_sentences_done / n_sentences) / parameters.epochs
                alpha = parameters.alpha - (parameters.alpha - parameters.min_alpha) * done
                total += step(batch, max(parameters.min_alpha, alpha))
                if checkpoint.is_due():
                    _save(model, checkpoint, epoch, number + 1, total)
            n_sentences_done += len(batch)
            n_done += n_in_batch
            progress(epoch, n_done)
        training_curve.record(epoch + 1, loss=total / max(n_done, 1))
        n_skipped, total = 0, 0.0
    vectors: NDArray[np.float32] = model.wv.vectors
    return vectors


class _Step:
    """Trains a model on one batch."""

    def __init__(self, model: Word2Vec) -> None:
        self._model = model
        self._work = np.zeros(model.layer1_size, dtype=np.float32)
        self._neu1 = np.zeros(model.layer1_size, dtype=np.float32)

    def __call__(self, batch: Batch, alpha: float) -> float:
        """The loss of the batch, summed over its pairs."""
        from gensim.models.word2vec_inner import train_batch_cbow, train_batch_sg

        # A sum of many batches would lose digits: it has 32 bits.
        self._model.running_training_loss = 0.0
        if self._model.sg:
            train_batch_sg(self._model, batch, alpha, self._work, True)
        else:
            train_batch_cbow(self._model, batch, alpha, self._work, self._neu1, True)
        return float(self._model.running_training_loss)


def untrained(parameters: TrainWordsParameters, counts: NDArray[np.int64]) -> Word2Vec:
    """A gensim model whose words are the numbers of the corpus's words, with initial weights from the seed."""
    from gensim.models import Word2Vec

    model = Word2Vec(
        sg=int(parameters.arch == "skip-gram"),
        vector_size=parameters.vector_size,
        window=parameters.window,
        epochs=parameters.epochs,
        negative=parameters.negative,
        sample=parameters.sample,
        alpha=parameters.alpha,
        min_alpha=parameters.min_alpha,
        seed=parameters.seed,
        batch_words=batch_words(parameters),
        hs=0,
        min_count=1,
        sorted_vocab=0,  # gensim's sort is not stable: words with equal counts would differ between processors
        workers=1,
    )
    heartbeat.beat()
    model.build_vocab_from_freq(dict(enumerate(counts.tolist())))
    return model


def batch_words(parameters: TrainWordsParameters) -> int:
    """The number of words after which a batch ends."""
    of_word = parameters.window * (1 + parameters.negative) * parameters.vector_size
    return min(MOST_BATCH_WORDS, max(LEAST_BATCH_WORDS, BATCH_MULTIPLICATIONS // of_word))


def batches(corpus: Corpus, n_words: int) -> Iterator[Batch]:
    """The corpus in batches of at most `n_words`, each a list of sentences; a longer document is several sentences."""
    batch: Batch = []
    n_in_batch = 0
    for sentence in _sentences(corpus, n_words):
        if n_in_batch + len(sentence) > n_words and batch:
            yield batch
            batch, n_in_batch = [], 0
        batch.append(sentence)
        n_in_batch += len(sentence)
    if batch:
        yield batch


def _sentences(corpus: Corpus, n_words: int) -> Iterator[list[int]]:
    for row in range(len(corpus)):
        heartbeat.beat()
        numbers = corpus.numbers[corpus.starts[row] : corpus.starts[row + 1]]
        known = numbers[numbers >= 0].tolist()
        yield from (known[start : start + n_words] for start in range(0, len(known), n_words))


def _save(model: Word2Vec, checkpoint: Checkpoint, epoch: int, n_batches: int, loss: float) -> None:
    _, keys, position, *_ = model.random.get_state()
    facts = {"epoch": epoch, "batches": n_batches, "loss": loss, "position": int(position)}
    arrays: dict[str, NDArray[Any]] = {"vectors": model.wv.vectors, "output": model.syn1neg, "keys": keys}
    checkpoint.save(facts, arrays)


def _restore(model: Word2Vec, checkpoint: Checkpoint) -> tuple[int, int, float]:
    """Where to go on: (epoch, batches done in it, their loss)."""
    saved = checkpoint.load()
    if saved is None:
        return 0, 0, 0.0
    model.wv.vectors[:] = saved.arrays["vectors"]
    model.syn1neg[:] = saved.arrays["output"]
    model.random.set_state(("MT19937", saved.arrays["keys"], saved.facts["position"]))
    return saved.facts["epoch"], saved.facts["batches"], saved.facts["loss"]
