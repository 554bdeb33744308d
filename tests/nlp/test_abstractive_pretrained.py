"""Summaries by a transformers model from a folder, on a tiny untrained BART that the test makes and saves."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from nlp_tasks.errors import DocumentError, ModelFileError
from nlp_tasks.kind import Document, Setup
from nlp_tasks.summarization import SUMMARIZE, SummarizeParameters, SummaryRow
from nlp_tasks.summarization.abstractive import pretrained
from nlp_tasks.summarization.abstractive.decoding import Decoding
from nlp_tasks.summarization.abstractive.pretrained import PretrainedSummarizer

pytest.importorskip("transformers")

# Two threads that wait for each other on a busy machine take minutes for what one does in seconds.
torch.set_num_threads(1)

WORDS = [f"word{n}" for n in range(40)] + ["은행이", "금리를", "올렸다", "."]
WINDOW = 24
GREEDY = Decoding(beams=1, max_tokens=8)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import tokenizers
    import transformers

    folder = tmp_path_factory.mktemp("bart")
    vocabulary = {word: index for index, word in enumerate(["<s>", "<pad>", "</s>", "<unk>", *WORDS])}
    backend = tokenizers.Tokenizer(tokenizers.models.WordLevel(vocabulary, unk_token="<unk>"))
    backend.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    backend.post_processor = tokenizers.processors.TemplateProcessing(
        "<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=backend,
        bos_token="<s>",
        eos_token="</s>",
        pad_token="<pad>",
        unk_token="<unk>",
        model_max_length=WINDOW,
    ).save_pretrained(folder)
    torch.manual_seed(3)
    config = transformers.BartConfig(
        vocab_size=len(vocabulary), d_model=32, encoder_layers=1, decoder_layers=1, encoder_attention_heads=2,
        decoder_attention_heads=2, encoder_ffn_dim=64, decoder_ffn_dim=64, max_position_embeddings=64, init_std=0.5,
    )  # fmt: skip
    transformers.BartForConditionalGeneration(config).eval().save_pretrained(folder)
    return folder


@pytest.fixture
def summarizer(folder: Path) -> PretrainedSummarizer:
    return pretrained.open_folder(folder, "cpu")


def texts() -> list[str]:
    """Of 1 to 20 words each."""
    return [" ".join(WORDS[(7 * n + 3 * i) % 40] for i in range(n)) for n in (5, 20, 1, 12, 20, 3, 8)]


def written(summarizer: PretrainedSummarizer, texts: Sequence[str], how: Decoding) -> list[list[int]]:
    """The tokens of each text, without those that begin and end it."""
    assert summarizer.continuous is not None
    encoded = [summarizer.tokenizer(text)["input_ids"] for text in texts]
    return summarizer.continuous.write(encoded, [0] * len(texts), how, how.max_tokens, lambda: None)


def test_greedy_writes_what_generate_writes_one_by_one(summarizer: PretrainedSummarizer) -> None:
    alone = [
        summarizer.model.generate(
            **summarizer.tokenizer(text, return_tensors="pt"), num_beams=1, do_sample=False,
            no_repeat_ngram_size=3, max_new_tokens=8,
        )[0].tolist()
        for text in texts()
    ]  # fmt: skip

    together = written(summarizer, texts(), GREEDY)

    start, end = 2, 2
    assert [[start, *ids, end] for ids in together] == alone
    assert len({tuple(row) for row in together}) > 3


@pytest.mark.parametrize(
    "settings",
    [
        {"min_length": 6, "forced_bos_token_id": 9, "no_repeat_ngram_size": 2},
        {"min_new_tokens": 5, "repetition_penalty": 1.4, "forced_eos_token_id": 2},
        {"begin_suppress_tokens": [7, 8, 11], "suppress_tokens": [12]},
        {"encoder_no_repeat_ngram_size": 2},
    ],
    ids=str,
)
def test_what_a_model_is_set_to_is_done_as_generate_does_it(folder: Path, settings: dict[str, Any]) -> None:
    def opened() -> PretrainedSummarizer:
        summarizer = pretrained.open_folder(folder, "cpu")
        config = summarizer.model.generation_config
        for name, value in ({"forced_eos_token_id": None} | settings).items():
            setattr(config, name, value)
        return PretrainedSummarizer(summarizer.model, summarizer.tokenizer, "cpu")

    how = Decoding(beams=1, no_repeat=2, max_tokens=8)
    summarizer = opened()
    alone = [
        summarizer.model.generate(
            **summarizer.tokenizer(text, return_tensors="pt"), num_beams=1, do_sample=False,
            no_repeat_ngram_size=2, max_new_tokens=8,
        )[0]
        for text in texts()
    ]  # fmt: skip

    found = summarizer.summarize(texts(), how)

    assert (summarizer.continuous is None) == ("encoder_no_repeat_ngram_size" in settings)
    assert found == [summarizer.tokenizer.decode(ids, skip_special_tokens=True).strip() for ids in alone]


def test_the_place_of_a_finished_text_goes_to_the_next(summarizer: PretrainedSummarizer) -> None:
    """The rows that a step works on: never fewer than the places while texts wait."""
    assert summarizer.continuous is not None
    long = [ids for ids in written(summarizer, texts(), GREEDY) if len(ids) > 2]
    summarizer.continuous._ends |= {long[0][1]}
    summarizer.continuous.budget.rows = 3
    sizes: list[int] = []
    summarizer.model.get_decoder().register_forward_pre_hook(
        lambda _, _args, kwargs: sizes.append(len(kwargs["input_ids"])), with_kwargs=True
    )

    lengths = [len(ids) for ids in written(summarizer, texts(), GREEDY)]

    assert len(set(lengths)) > 1
    # One row for each token, and one for the end token of a text that ends before its limit.
    assert sum(sizes) == sum(min(length + 1, GREEDY.max_tokens) for length in lengths)
    assert max(sizes) == 3


@pytest.mark.parametrize(
    "how", [GREEDY, Decoding(beams=3, max_tokens=8), Decoding(beams=1, sample=True, max_tokens=8)]
)
def test_what_is_written_does_not_depend_on_the_batch(
    summarizer: PretrainedSummarizer, how: Decoding
) -> None:
    together = summarizer.summarize(texts(), how, seed=5)

    assert together == [summarizer.summarize([text], how, seed=5)[0] for text in texts()]


def test_another_seed_draws_other_texts_and_the_same_seed_the_same(summarizer: PretrainedSummarizer) -> None:
    how = Decoding(beams=1, sample=True, max_tokens=8)

    assert summarizer.summarize(texts(), how, seed=1) == summarizer.summarize(texts(), how, seed=1)
    assert summarizer.summarize(texts(), how, seed=1) != summarizer.summarize(texts(), how, seed=2)


@pytest.mark.parametrize("narrow", [{"top_k": 1}, {"top_p": 1e-6}, {"temperature": 1e-4}])
def test_drawing_from_the_best_token_alone_is_greedy(
    summarizer: PretrainedSummarizer, narrow: dict[str, Any]
) -> None:
    how = Decoding(beams=1, sample=True, max_tokens=8, **narrow)

    assert summarizer.summarize(texts(), how) == summarizer.summarize(texts(), GREEDY)


def test_a_long_text_is_read_to_its_end_in_windows_and_then_once_more(
    summarizer: PretrainedSummarizer,
) -> None:
    first, last = "word1 word2 word3 word4 word5 word6 word7 .", "word30 word31 word32 word33 word34 word35 ."
    long = f"{first} {first} {last} {last}"
    read: list[str] = []
    decode = summarizer.tokenizer.decode

    def listen(*said: Any) -> None:
        read.extend(decode(ids, skip_special_tokens=True) for ids in said[2]["input_ids"])

    summarizer.model.get_encoder().register_forward_pre_hook(listen, with_kwargs=True)

    (summary,) = summarizer.summarize([long], GREEDY)

    windows, again = [text for text in read if text in long], read[-1]
    read.clear()
    assert len(windows) > 1
    assert "".join(sorted(windows, key=long.index)).replace(" ", "") == long.replace(" ", "")
    assert again == " ".join(
        summarizer.summarize([text], GREEDY)[0] for text in sorted(windows, key=long.index)
    )
    assert summary == summarizer.summarize([again], GREEDY)[0]


def test_a_batch_that_the_device_has_no_memory_for_is_halved(summarizer: PretrainedSummarizer) -> None:
    sizes: list[int] = []

    def only_two(module: Any, args: Any, kwargs: dict[str, Any]) -> None:
        sizes.append(len(kwargs["input_ids"]))
        if sizes[-1] > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")

    expected = summarizer.summarize(texts(), GREEDY)
    summarizer.model.get_encoder().register_forward_pre_hook(only_two, with_kwargs=True)

    assert summarizer.summarize(texts(), GREEDY) == expected
    assert max(sizes) > 2
    sizes.clear()
    summarizer.summarize(texts(), GREEDY)
    assert max(sizes) <= 2


def test_the_kind_writes_rows_and_keeps_its_lease(folder: Path) -> None:
    beats: list[int] = []
    parameters = SummarizeParameters(method="abstractive", pretrained=str(folder), max_tokens=8)
    runner = SUMMARIZE.stages[0].open(Setup(parameters, beat=lambda: beats.append(1)))

    row, blank = runner.run([Document(1, "a", texts()[0]), Document(2, "b", " ")])

    assert not isinstance(row, DocumentError)
    (only,) = row
    assert isinstance(only, SummaryRow)
    assert only.summary
    assert (only.method, only.n_sentences) == ("abstractive", 1)
    assert isinstance(blank, DocumentError)
    assert len(beats) >= 8


@pytest.mark.parametrize("beams", [1, 3])
def test_a_text_of_which_the_tokenizer_leaves_nothing_has_no_summary_and_hurts_no_other(
    summarizer: PretrainedSummarizer, beams: int
) -> None:
    """Tokenizers such as that of KoBART add no tokens of their own."""
    import tokenizers

    how = Decoding(beams=beams, max_tokens=8)
    backend = summarizer.tokenizer.backend_tokenizer
    backend.post_processor = tokenizers.processors.TemplateProcessing("$A", special_tokens=[])
    backend.normalizer = tokenizers.normalizers.Replace("\u200b", "")
    first, last = texts()[:2]

    assert summarizer.summarize([first, "\u200b", last], how) == [
        summarizer.summarize([first], how)[0],
        "",
        summarizer.summarize([last], how)[0],
    ]
    assert summarizer.summarize(["\u200b"], how) == [""]


@pytest.mark.parametrize("beams", [1, 2])
def test_no_more_is_written_than_the_model_has_positions_for(folder: Path, beams: int) -> None:
    """On a GPU, a place beyond them is an error that ends the process."""
    model = pretrained.open_folder(folder, "cpu").model
    model.generation_config.eos_token_id = model.config.eos_token_id = None
    summarizer = PretrainedSummarizer(model, pretrained.open_folder(folder, "cpu").tokenizer, "cpu")

    (summary,) = summarizer.summarize(texts()[:1], Decoding(beams=beams, no_repeat=0, max_tokens=500))

    assert 0 < len(summary.split()) <= 64


@pytest.mark.parametrize("search", ["greedy", "sample", "beam"])
def test_a_job_that_is_stopped_between_two_tokens_writes_the_same_again(folder: Path, search: Any) -> None:
    parameters = SummarizeParameters(
        method="abstractive", pretrained=str(folder), max_tokens=8, search=search
    )
    documents = [Document(n, str(n), text) for n, text in enumerate([*texts(), " ", "zzz " * 500])]
    left = 0

    def stop() -> None:
        nonlocal left
        left -= 1
        if left == 0:
            raise InterruptedError

    runner = SUMMARIZE.stages[0].open(Setup(parameters, beat=stop))
    expected = [repr(runner.run([document])) for document in documents]

    for n_beats in (3, 14):
        left = n_beats
        with pytest.raises(InterruptedError):
            runner.run(documents)
        assert [repr([result]) for result in runner.run(documents)] == expected


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match=r"no config\.json"):
        pretrained.open_folder(tmp_path, "cpu")


def test_weights_in_another_format_are_refused(folder: Path, tmp_path: Path) -> None:
    for path in folder.iterdir():
        if path.suffix == ".json":
            (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "pytorch_model.bin").write_bytes(b"a pickle")
    with pytest.raises(ModelFileError, match="cannot read"):
        pretrained.open_folder(tmp_path, "cpu")
