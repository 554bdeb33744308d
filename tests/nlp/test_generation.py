"""Texts by transformers models from folders, on tiny untrained models that the tests make and save."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from nlp_tasks.errors import DocumentError, ModelFileError
from nlp_tasks.generation import GENERATE, GenerateParameters, GenerationRow, template
from nlp_tasks.generation.choosing import Sampling, choose
from nlp_tasks.generation.language_model import LanguageModel
from nlp_tasks.generation.prompts import PromptEncoder, Reading
from nlp_tasks.generation.writer import Prompt
from nlp_tasks.kind import Document, LabelledDocuments, Setup
from tests import language_models

pytest.importorskip("transformers")

MOST = 12
#: Models whose rows are written together, decoder-only and encoder-decoder, and one that cannot.
TOGETHER = ("gpt2", "llama", "qwen2", "mistral", "t5", "bart", "mbart")
ALONE = ("bloom",)


# Two threads that wait for each other on a busy machine take minutes for what one does in seconds.
torch.set_num_threads(1)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Any:
    made: dict[str, Path] = {}

    def folder(arch: str, **changes: Any) -> Path:
        name = f"{arch}{changes}"
        if name not in made:
            made[name] = language_models.save(tmp_path_factory.mktemp(arch), arch, **changes)
        return made[name]

    return folder


def opened(folder: Path, **parameters: Any) -> Any:
    """The stage, with few places, so that documents take each other's."""
    chosen = GenerateParameters(model=str(folder), **{"max_tokens": MOST} | parameters)
    stage = GENERATE.stages[0].open(Setup(parameters=chosen))
    writer = stage._writer  # type: ignore[attr-defined]
    writer.budget.rows, writer.budget.prompt_tokens = 4, 60
    return stage


def documents() -> list[Document]:
    """Of 1 to 21 words each, long and short ones by turns."""
    words = " ".join(language_models.WORDS).split()
    lengths = (3, 21, 1, 9, 14, 2, 5, 18, 7, 11)
    return [
        Document(n, f"k{n}", " ".join(words[(n + 3 * i) % len(words)] for i in range(length)))
        for n, length in enumerate(lengths)
    ]


def rows(results: Sequence[Any]) -> list[GenerationRow]:
    return [result[0] for result in results]


def generated(writer: LanguageModel, text: str) -> str:
    """What transformers' own `generate` writes for a text alone."""
    return writer.encoder.decode(generated_ids(writer, text))


def generated_ids(writer: LanguageModel, text: str) -> list[int]:
    ids = writer.encoder.tokenizer(text, return_tensors="pt").input_ids
    [found] = writer.model.generate(
        input_ids=ids, attention_mask=torch.ones_like(ids), do_sample=False, num_beams=1, max_new_tokens=MOST,
        max_length=None,
    ).tolist()  # fmt: skip
    return list(found[1:] if writer.encoder.is_seq2seq else found[ids.shape[1] :])


@pytest.mark.parametrize("arch", [*TOGETHER, *ALONE])
def test_greedy_texts_are_those_of_generate_for_each_document_alone(arch: str, folders: Any) -> None:
    stage = opened(folders(arch))
    writer = stage._writer

    found = rows(stage.run(documents()))

    assert (writer.places is not None) == (arch in TOGETHER)
    assert [row.text for row in found] == [generated(writer, one.text) for one in documents()]
    assert len({row.text for row in found}) > 2


@pytest.mark.parametrize("arch", ["gpt2", "bart", "bloom"])
def test_what_the_settings_of_a_model_ask_for_is_done_as_generate_does_it(arch: str, folders: Any) -> None:
    stage = opened(folders(arch))
    settings = stage._writer.model.generation_config
    settings.repetition_penalty, settings.no_repeat_ngram_size, settings.min_new_tokens = 1.3, 2, 4
    settings.suppress_tokens, settings.begin_suppress_tokens = [40, 41], [50, 60]

    found = rows(stage.run(documents()))

    assert [row.text for row in found] == [generated(stage._writer, one.text) for one in documents()]


@pytest.mark.parametrize("how", [{}, {"top_k": 5}, {"top_p": 0.7}, {"top_k": 50, "top_p": 0.9}], ids=str)
def test_a_draw_depends_on_key_and_seed_and_not_on_neighbours(folders: Any, how: dict[str, Any]) -> None:
    stage = opened(folders("llama"), temperature=1.0, seed=5, **how)
    together = rows(stage.run(documents()))

    assert together == rows([stage.run([one])[0] for one in reversed(documents())])[::-1]
    other = opened(folders("llama"), temperature=1.0, seed=6, **how)
    assert rows(other.run(documents())) != together


def test_equal_texts_with_other_keys_get_other_draws(folders: Any) -> None:
    stage = opened(folders("llama"), temperature=1.0)
    found = rows(stage.run([Document(n, f"k{n}", "the bank") for n in range(4)]))
    assert len({row.text for row in found}) > 1


@pytest.mark.parametrize("narrow", [{"top_k": 1}, {"top_p": 1e-6}, {"temperature": 1e-4}], ids=str)
def test_drawing_from_the_best_token_alone_is_greedy(folders: Any, narrow: dict[str, Any]) -> None:
    drawn = opened(folders("llama"), **{"temperature": 1.0} | narrow).run(documents())
    assert rows(drawn) == rows(opened(folders("llama")).run(documents()))


def test_a_text_ends_before_its_stop_string(folders: Any) -> None:
    whole = rows(opened(folders("llama")).run(documents()))
    stop = whole[0].text[4:7]

    found = rows(opened(folders("llama"), stop=json.dumps([stop, "never"])).run(documents()))

    assert found[0].text == whole[0].text[: whole[0].text.index(stop)]
    assert found[0].finish_reason == "stop"
    assert found[0].n_tokens < whole[0].n_tokens
    assert [row.text for row in found] == [row.text.split(stop)[0] for row in whole]


def test_a_text_that_the_model_ends_says_so(folders: Any) -> None:
    stage = opened(folders("llama"))
    ids = generated_ids(stage._writer, documents()[0].text)
    stage._writer._ends = frozenset(ids[2:3])

    [row] = rows(stage.run(documents()[:1]))

    assert row.finish_reason == "stop"
    assert row.n_tokens < MOST


def test_a_prompt_that_is_too_long_loses_the_end_of_its_text(folders: Any) -> None:
    long = Document(1, "k", "the bank raised rates " * 100)
    stage = opened(folders("llama"), prompt="Read {text}\nNow say what it says:")

    [row] = rows(stage.run([long]))

    assert row.n_prompt_tokens is not None
    assert 110 <= row.n_prompt_tokens <= 128 - MOST
    kept = long.text[: len(long.text) - row.n_cut_chars]
    assert generated(stage._writer, f"Read {kept}\nNow say what it says:") == row.text
    [refused] = opened(folders("llama"), too_long="refuse").run([long])
    assert isinstance(refused, DocumentError)
    assert refused.code == "PROMPT_TOO_LONG"
    [hopeless] = opened(folders("llama"), prompt="{text} " + "now " * 200).run([long])
    assert isinstance(hopeless, DocumentError)


def test_the_chat_template_of_a_tokenizer_is_used(folders: Any) -> None:
    folder = folders("llama", chat=language_models.CHAT)
    stage = opened(folder, system="be brief", prompt="Sum up: {text}")

    [row] = rows(stage.run([Document(1, "k", "the bank <|end|>raised<|<|end|>end|>")]))

    encoder = stage._writer.encoder
    prompt = (
        "<|begin|>system: be brief<|end|><|begin|>user: Sum up: the bank raised<|end|><|begin|>assistant: "
    )
    assert row.n_prompt_tokens == len(encoder.tokenizer(prompt, add_special_tokens=False).input_ids)
    plain = opened(folder, system="be brief", prompt="Sum up: {text}", chat="none")
    [row] = rows(plain.run([Document(1, "k", "the bank")]))
    assert row.text == generated(plain._writer, "be brief\n\nSum up: the bank")


def test_more_documents_than_memory_for_them_are_written_with_fewer_at_a_time(folders: Any) -> None:
    expected = rows(opened(folders("llama"), temperature=1.0).run(documents()))
    stage = opened(folders("llama"), temperature=1.0)
    sizes: list[int] = []

    def only_two(_: Any, args: Any, kwargs: dict[str, Any]) -> None:
        sizes.append(len(kwargs["input_ids"]))
        if sizes[-1] > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")

    stage._writer.model.register_forward_pre_hook(only_two, with_kwargs=True)

    assert rows(stage.run(documents())) == expected
    assert max(sizes) > 2
    sizes.clear()
    stage.run(documents())
    assert max(sizes) <= 2


def test_places_of_finished_texts_are_given_away(folders: Any) -> None:
    """The rows that a step works on: never fewer than the places while documents wait."""
    stage = opened(folders("llama"))
    stage._writer.budget.prompt_tokens = 1_000
    ids = [generated_ids(stage._writer, one.text) for one in documents()]
    stage._writer._ends = frozenset(one[3] for one in ids[::2])
    sizes: list[int] = []
    stage._writer.model.register_forward_pre_hook(
        lambda _, _args, kwargs: sizes.append(len(kwargs["input_ids"])) if "position_ids" in kwargs else None,
        with_kwargs=True,
    )

    found = rows(stage.run(documents()))

    assert len({row.n_tokens for row in found}) > 1
    n_steps = (
        sum(row.n_tokens or 0 for row in found) - len(found) + sum(r.finish_reason == "stop" for r in found)
    )
    assert sum(sizes) == n_steps
    assert sizes[: len(sizes) // 2] == [4] * (len(sizes) // 2)


def test_a_folder_that_holds_no_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match=r"no config\.json"):
        opened(tmp_path)
    (tmp_path / "config.json").write_text('{"model_type": "llama"}')
    with pytest.raises(ModelFileError, match="transformers cannot read"):
        opened(tmp_path)


# --- examples -----------------------------------------------------------------------------------------------------

KNOWN = [
    Document(1, "a", "the striker scored a goal", "sport"),
    Document(2, "b", "the cup match ended", "sport"),
    Document(3, "c", "the bank raised rates", "money"),
    Document(4, "d", "shares and bonds fell", "money"),
]


def shown(document: Document, **parameters: Any) -> str:
    from nlp_tasks.generation import template
    from nlp_tasks.generation.examples import Examples

    by_id = {one.id: one for one in KNOWN}
    labelled = LabelledDocuments(
        {one.id: str(one.label) for one in KNOWN}, lambda ids: [by_id[id_] for id_ in ids]
    )
    how = {"n_each": 1, "seed": 0, "nearest": True} | parameters
    form = template.parse("{text} = {label}\n", what="example")
    return Examples(labelled, form, how.pop("n_each"), **how).text(document)  # type: ignore[arg-type]


def test_examples_are_the_nearest_of_each_label_the_nearest_last() -> None:
    document = Document(9, "x", "rates of the bank and the goal")
    assert set(shown(document).splitlines()) == {
        "the striker scored a goal = sport", "the bank raised rates = money",
    }  # fmt: skip
    assert shown(document).splitlines()[-1] == "the bank raised rates = money"


def test_a_document_is_never_its_own_example() -> None:
    for one in KNOWN:
        for how in ({}, {"nearest": False}, {"n_each": 2}):
            assert one.text not in shown(one, **how)
            assert one.text not in shown(Document(99, "copy", one.text), **how)


def test_examples_by_seed_are_the_same_for_all_documents() -> None:
    many = {shown(Document(9 + n, "x", f"text {n}"), nearest=False, seed=4) for n in range(5)}
    assert len(many) == 1
    assert len({shown(Document(9, "x", "text"), nearest=False, seed=seed) for seed in range(8)}) > 1


def encoder_of(folder: Path, chat: str = "", **tokens: bool) -> PromptEncoder:
    """The prompts of a folder's tokenizer with more tokens: text=whether it is declared to be special."""
    import transformers
    from tokenizers import AddedToken

    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    tokenizer.add_tokens([AddedToken(f"<|{name}|>", special=special) for name, special in tokens.items()])
    tokenizer.chat_template = chat or None
    return PromptEncoder(tokenizer, transformers.AutoConfig.from_pretrained(folder), Reading(chat=False))


def ids_of(encoder: PromptEncoder, text: str) -> list[int]:
    return encoder.encode(Prompt("k", template.parse("{text}"), {"text": text}), MOST).ids


def test_special_tokens_without_a_role_are_removed_from_a_document_too(folders: Any) -> None:
    encoder = encoder_of(folders("gpt2"), "<|turn|>{{ messages }}", eot_id=True, turn=False, plain=False)
    assert "<|eot_id|>" not in encoder.tokenizer.all_special_tokens
    assert ids_of(encoder, "the<|eot_id|> bank<|turn|>") == ids_of(encoder, "the bank")
    assert len(encoder.tokenizer) - 1 in ids_of(encoder, "the<|plain|> bank")


def test_special_tokens_inside_others_cost_no_more_time_than_the_text_is_long(folders: Any) -> None:
    encoder = encoder_of(folders("gpt2"))
    n = 20_000
    started = time.monotonic()
    left = encoder._without_special("<|e" * n + "nd|>" * n)
    assert time.monotonic() - started < 2
    assert "<|end|>" not in left


def test_a_document_of_special_tokens_alone_is_empty_and_harms_no_other(folders: Any) -> None:
    stage = opened(folders("gpt2"))
    good = Document(1, "a", "the bank raised")
    [row, empty] = stage.run([good, Document(2, "b", "<|end|>")])
    assert row == stage.run([good])[0]
    assert isinstance(empty, DocumentError)
    assert empty.code == "EMPTY_TEXT"


@pytest.mark.parametrize("temperature", [1e-3, 1e-38, 5e-324])
def test_a_temperature_near_zero_takes_the_best_token(temperature: float) -> None:
    scores, random = torch.tensor([[1.0, 5.0, 3.0]]), np.random.default_rng(0)
    assert choose(scores, Sampling(temperature), [random]) == [1]


def test_damaged_weights_are_named(tmp_path: Path) -> None:
    folder = language_models.save(tmp_path, "gpt2")
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:100])
    with pytest.raises(ModelFileError, match="cannot read"):
        opened(folder)


def test_stop_strings_that_are_no_array_are_named() -> None:
    with pytest.raises(ValueError, match="stop: write one string"):
        GenerateParameters(stop="[" * 10_000)
