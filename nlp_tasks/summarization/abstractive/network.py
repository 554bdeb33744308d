"""The encoder-decoder: GRUs with attention and a pointer-generator (See, Liu and Manning 2017).

The next token is either generated from the vocabulary or copied from the document; a gate weights the two. With a few
thousand pairs, copying is what the network learns first and best. Knows ids, not text.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from nlp_tasks.summarization.abstractive.encoder_input import N_BUCKETS, Sources
from nlp_tasks.summarization.abstractive.subwords import BEGIN, PAD

#: The lower bound of a probability before its logarithm is taken.
_LEAST = 1e-9


@dataclass(frozen=True)
class Size:
    """The sizes of a network."""

    n_ids: int
    width: int = 128
    dropout: float = 0.3


@dataclass(frozen=True)
class Memory:
    """What the decoder attends to: a batch of B encoded documents."""

    ids: Tensor  # (B, S)
    mask: Tensor  # (B, S)
    values: Tensor  # (B, S, 2H)
    keys: Tensor  # (B, S, H) for attention
    copy_keys: Tensor  # (B, S, H) for copying
    copy_worth: Tensor  # (B, S) prior score of copying each token, independent of what was written
    before: Tensor  # (B, S) the token before each token

    def of(self, rows: Tensor) -> Memory:
        """The documents of these rows, in this order."""
        tensors = (self.ids, self.mask, self.values, self.keys, self.copy_keys, self.copy_worth, self.before)
        return Memory(*(tensor[rows] for tensor in tensors))


class Network(nn.Module):
    """Reads documents, writes tokens. H is the width."""

    def __init__(self, size: Size) -> None:
        super().__init__()
        width = size.width
        self.tokens = nn.Embedding(size.n_ids, width, padding_idx=PAD)
        self.places = nn.Embedding(N_BUCKETS, width)
        self.counts = nn.Embedding(N_BUCKETS, width)
        for table in (self.tokens, self.places, self.counts):
            nn.init.normal_(table.weight, std=0.1)
        self.forward_reader = nn.GRU(width, width, batch_first=True)
        self.backward_reader = nn.GRU(width, width, batch_first=True)
        self.begin = nn.Linear(2 * width, width)
        self.writer = nn.GRU(width, width, batch_first=True)
        self.keys = nn.Linear(2 * width, width)
        self.copy_keys = nn.Linear(2 * width, width)
        # The initial behaviour of copying: prefer tokens with a high prior, and continue after the token that was
        # copied last. Without this, copying is not learned from few pairs.
        worth = [nn.Embedding(n, 1) for n in (size.n_ids, N_BUCKETS, N_BUCKETS)]
        for table in worth:
            nn.init.zeros_(table.weight)
        self.copy_worth = nn.ModuleList(worth)
        self.go_on = nn.Parameter(torch.tensor(4.0))
        self.mix = nn.Linear(4 * width, width)
        self.gate = nn.Linear(width, 1)
        self.bias = nn.Parameter(torch.zeros(size.n_ids))
        self.dropout = nn.Dropout(size.dropout)

    def read(self, sources: Sources) -> tuple[Memory, Tensor]:
        """The memory of a batch, and the initial state of the decoder (1, B, H).

        The backward encoder gets each document reversed in place, so that the padding is at the end in both directions
        and has no effect.
        """
        x = self.tokens(sources.ids) + self.places(sources.places) + self.counts(sources.counts)
        x = self.dropout(x)  # (B, S, H)
        lengths = sources.mask.sum(1, keepdim=True)  # (B, 1)
        place = torch.arange(x.shape[1], device=x.device)[None]  # (1, S)
        turned = torch.where(sources.mask, lengths - 1 - place, place)[..., None].expand_as(x)
        onward, _ = self.forward_reader(x)
        back, _ = self.backward_reader(x.gather(1, turned))
        last = (lengths - 1)[..., None].expand(-1, 1, x.shape[2])
        ends = torch.cat([onward.gather(1, last), back.gather(1, last)], dim=2)  # (B, 1, 2H)
        values = self.dropout(torch.cat([onward, back.gather(1, turned)], dim=2))  # (B, S, 2H)
        worth = sum(
            table(ids)[..., 0]
            for table, ids in zip(self.copy_worth, (sources.ids, sources.places, sources.counts), strict=True)
        )
        before = torch.roll(sources.ids, 1, dims=1)
        before[:, 0] = BEGIN
        memory = Memory(
            sources.ids, sources.mask, values, self.keys(values), self.copy_keys(values), worth, before
        )
        return memory, torch.tanh(self.begin(ends)).transpose(0, 1).contiguous()

    def write(self, memory: Memory, state: Tensor, ids: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """After each of the tokens (B, T): scores of the vocabulary (B, T, V), probabilities of copying each position
        (B, T, S), the gate (B, T, 1), and the last state (1, B, H)."""
        tokens = self.dropout(self.tokens(ids))
        states, state = self.writer(tokens, state)  # (B, T, H)
        attention = _softmax(states @ memory.keys.transpose(1, 2), memory.mask)  # (B, T, S)
        context = attention @ memory.values  # (B, T, 2H)
        mixed = self.dropout(torch.tanh(self.mix(torch.cat([states, context, tokens], dim=2))))
        goes_on = ids[..., None] == memory.before[:, None]  # (B, T, S)
        fits = mixed @ memory.copy_keys.transpose(1, 2) + memory.copy_worth[:, None] + self.go_on * goes_on
        copies = _softmax(fits, memory.mask)
        return mixed @ self.tokens.weight.T + self.bias, copies, torch.sigmoid(self.gate(mixed)), state

    def losses(self, sources: Sources, given: Tensor, wanted: Tensor) -> Tensor:
        """Negative log probability of each target token (B, T), given the previous target token (teacher forcing); 0
        for PAD."""
        memory, state = self.read(sources)
        scores, copies, gate, _ = self.write(memory, state, given)
        written = torch.softmax(scores, -1).gather(2, wanted[..., None])  # (B, T, 1)
        at_place = wanted[..., None] == memory.ids[:, None]  # (B, T, S)
        copied = (copies * at_place).sum(2, keepdim=True)
        chance = (gate * written + (1 - gate) * copied)[..., 0]
        return -torch.log(chance + _LEAST) * (wanted != PAD)

    def next(self, memory: Memory, state: Tensor, ids: Tensor) -> tuple[Tensor, Tensor]:
        """Log probabilities (B, V) of the token after `ids` (B,), and the state after it."""
        scores, copies, gate, state = self.write(memory, state, ids[:, None])
        chances = (gate * torch.softmax(scores, -1))[:, 0]
        chances = chances.scatter_add(1, memory.ids, ((1 - gate) * copies)[:, 0])
        return torch.log(chances + _LEAST), state


def _softmax(scores: Tensor, mask: Tensor) -> Tensor:
    """Softmax over the positions that are not padding; (B, T, S) and (B, S)."""
    return torch.softmax(scores.masked_fill(~mask[:, None], -torch.inf), dim=-1)
