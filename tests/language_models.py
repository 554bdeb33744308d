"""Tiny untrained language models in folders, as transformers saves them. They write nonsense, always the same."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

WORDS = ("the bank raised interest rates", "은행이 금리를 올렸다", "for a third time this year")
END, PAD, BEGIN = "<|end|>", "<|pad|>", "<|begin|>"
CHAT = (
    "{% for m in messages %}<|begin|>{{ m['role'] }}: {{ m['content'] }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|begin|>assistant: {% endif %}"
)


def save(folder: Path, arch: str, chat: str = "", **changes: Any) -> Path:
    """A model with a byte-level tokenizer; `changes` to its config."""
    import torch
    import transformers

    transformers.utils.logging.disable_progress_bar()
    n_tokens = save_tokenizer(folder, chat)
    torch.manual_seed(3)
    _MADE[arch](transformers, n_tokens, changes).eval().save_pretrained(folder)
    return folder


def save_tokenizer(folder: Path, chat: str = "") -> int:
    """Returns its number of tokens."""
    import transformers
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=320,
        special_tokens=[END, PAD, BEGIN],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    backend.train_from_iterator([" ".join(WORDS), '{"name": "x", "n": 12}'] * 5, trainer)
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=backend, eos_token=END, pad_token=PAD, bos_token=BEGIN
    )
    if chat:
        tokenizer.chat_template = chat
    tokenizer.save_pretrained(folder)
    return len(tokenizer)


#: Special tokens as the tokenizer numbers them.
_SPECIAL = {"eos_token_id": 0, "pad_token_id": 1, "bos_token_id": 2}
_CAUSAL: dict[str, Any] = {
    "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "max_position_embeddings": 128, "initializer_range": 0.3, **_SPECIAL,
}  # fmt: skip
_BART: dict[str, Any] = {
    "d_model": 32, "encoder_layers": 2, "decoder_layers": 2, "encoder_attention_heads": 2,
    "decoder_attention_heads": 2, "encoder_ffn_dim": 64, "decoder_ffn_dim": 64, "max_position_embeddings": 128,
    "init_std": 0.3, "decoder_start_token_id": 0, "forced_eos_token_id": 0, **_SPECIAL,
}  # fmt: skip
_GPT2 = {"n_embd": 32, "n_layer": 2, "n_head": 2, "n_positions": 128, "initializer_range": 0.3, **_SPECIAL}
_T5 = {
    "d_model": 32, "d_kv": 8, "d_ff": 64, "num_layers": 2, "num_heads": 4, "initializer_factor": 3.0,
    "decoder_start_token_id": 1, "relative_attention_num_buckets": 8, "relative_attention_max_distance": 20,
    "eos_token_id": 0, "pad_token_id": 1,
}  # fmt: skip
_BLOOM = {"hidden_size": 32, "n_layer": 2, "n_head": 4, "initializer_range": 0.3, **_SPECIAL}


def _maker(model: str, config: str, known: dict[str, Any]) -> Callable[[Any, int, dict[str, Any]], Any]:
    def make(library: Any, n_tokens: int, changes: dict[str, Any]) -> Any:
        told = getattr(library, config)(**{"vocab_size": n_tokens} | known | changes)
        return getattr(library, model)(told)

    return make


_SLIDING = {"use_sliding_window": True, "sliding_window": 8, "max_window_layers": 1}
_MADE = {
    "gpt2": _maker("GPT2LMHeadModel", "GPT2Config", _GPT2),
    "llama": _maker("LlamaForCausalLM", "LlamaConfig", _CAUSAL),
    "qwen2": _maker("Qwen2ForCausalLM", "Qwen2Config", _CAUSAL | _SLIDING),
    "mistral": _maker("MistralForCausalLM", "MistralConfig", _CAUSAL | {"sliding_window": 8}),
    "bloom": _maker("BloomForCausalLM", "BloomConfig", _BLOOM),
    "bart": _maker("BartForConditionalGeneration", "BartConfig", _BART),
    "mbart": _maker(
        "MBartForConditionalGeneration", "MBartConfig", _BART | {"forced_bos_token_id": 17, "init_std": 0.5}
    ),
    "t5": _maker("T5ForConditionalGeneration", "T5Config", _T5),
    "mt5": _maker("MT5ForConditionalGeneration", "MT5Config", _T5),
}
