"""docmill's own summarizer: its network with its vocabulary, on disk and at work."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

import torch

from nlp_tasks import model_files
from nlp_tasks.summarization.abstractive import encoder_input
from nlp_tasks.summarization.abstractive.decoding import Decoding, write
from nlp_tasks.summarization.abstractive.network import Network, Size
from nlp_tasks.summarization.abstractive.subwords import Subwords

#: Token positions (documents x beams x input tokens) in a batch, including padding.
BATCH_PLACES = 64_000


class OwnSummarizer:
    """Writes a short text for each document."""

    def __init__(self, network: Network, size: Size, subwords: Subwords, device: str) -> None:
        self.network, self.size, self.subwords, self.device = (
            network.to(device).eval(),
            size,
            subwords,
            device,
        )

    def summarize(
        self, texts: Sequence[str], how: Decoding, seed: int = 0, beat: Callable[[], None] = lambda: None
    ) -> list[str]:
        """One summary for each of `texts`, none of which may be blank; in batches of similar length."""
        read = [encoder_input.read(text, self.subwords) for text in texts]
        order = sorted(range(len(texts)), key=lambda index: -len(read[index]))
        written: dict[int, str] = {}
        while order:
            n = max(1, BATCH_PLACES // (how.beams * len(read[order[0]])))
            chosen, order = order[:n], order[n:]
            batch = encoder_input.batch([read[index] for index in chosen], self.device)
            seeds = [seed_of(texts[index], seed) for index in chosen]
            for index, ids in zip(chosen, write(self.network, batch, how, seeds, beat), strict=True):
                written[index] = self.subwords.decode(ids)
        return [written[index] for index in range(len(texts))]

    def save(self, model_dir: Path) -> None:
        """Write the model as JSON and safetensors, and seal it."""
        tensors = {name: weight.cpu().numpy() for name, weight in self.network.state_dict().items()}
        config = {"size": asdict(self.size), "subwords": self.subwords.as_json()}
        model_files.save(model_dir, config, tensors)


def load(model_dir: Path, device: str) -> OwnSummarizer:
    """The model that `save` wrote; ModelFileError if a file was changed."""
    config, tensors = model_files.load(model_dir)
    size = Size(**config["size"])
    network = Network(size)
    network.load_state_dict({name: torch.from_numpy(array) for name, array in tensors.items()})
    return OwnSummarizer(network, size, Subwords.from_json(config["subwords"]), device)


def seed_of(text: str, seed: int) -> int:
    """A seed for sampling that depends only on the text and on the seed asked for."""
    digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8, salt=seed.to_bytes(16))
    return int.from_bytes(digest.digest())
