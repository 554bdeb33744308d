"""models list and show: the figures that tell, all of them, and whether they rest on enough."""

from __future__ import annotations

from pathlib import Path

import pytest

from db import model_versions
from db.gates import Judged, Judgement
from tests.commands.conftest import Shell
from tests.db.builders import a_job

FEW = "measured on 4 documents: too few to tell how good it is"


def made(shell: Shell, name: str, kind: str, judgement: Judgement | None = None, **metrics: float) -> None:
    job_id = a_job(shell.store, 1, kind=kind, model_ref=name)
    with shell.store.write() as session:
        model_versions.register(session, job_id, f"{name}/{job_id}", "ab" * 32, metrics, judgement)


def classifier(shell: Shell, n_held_out: float, **more: float) -> None:
    made(shell, "topics", "train-classify", accuracy=0.75, macro_f1=0.7, n_held_out=n_held_out, **more)


def test_the_end_of_a_training_says_that_too_few_were_held_out_and_so_does_the_model(
    shell: Shell, tmp_path: Path
) -> None:
    texts = [f"{text} {i}" for i in range(10) for text in ("the bank raised rates", "a goal in the cup")]
    shell.texts(*texts, labels=["money", "sport"] * 10)
    job_id = shell.work(int(shell("train", "classify", "--collection", "inbox", "--json").json["job"]))

    assert FEW in shell("watch", job_id).out
    assert FEW in shell("status", job_id, "--json").json["note"]
    assert FEW in shell("models", "show", "inbox").out
    assert "4 held out: too few to tell" in shell("models", "list").out
    assert FEW.capitalize() in shell("models", "show", "inbox", "--html", "-").out
    said = shell("models", "export", "inbox", tmp_path / "out", "--onnx", status=None)
    assert said.status != 0
    assert "arch linear cannot be written as ONNX: it counts n-grams" in said.err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("n_held_out", "few"), [(29, True), (30, False), (3000, False)])
def test_thirty_documents_are_enough(shell: Shell, n_held_out: float, few: bool) -> None:
    classifier(shell, n_held_out)

    for command in (("list",), ("show", "topics")):
        assert ("too few to tell" in shell("models", *command).out) == few
    assert ("too few" in shell("status", "--json").json[0]["note"]) == few


def test_the_list_has_the_figures_that_tell_and_show_has_them_all(shell_on_both: Shell) -> None:
    shell = shell_on_both
    classifier(shell, 1234, temperature=1.375, n_train=123456)
    made(shell, "near", "train-similarity", self_rank=0.5, vocabulary=99.0)
    made(shell, "short", "train-summarizer", rouge_l=31.25, lead_rouge_l=20, training_loss=2.5, n_held_out=50)
    made(shell, "numbers", "train-gated", quality=0.25)

    listed = shell("models", "list").out
    for figures in (
        "accuracy 0.750, macro F1 0.700; 1,234 held out",
        "self-rank 0.500",
        "ROUGE-L 31.2, first sentences' 20.0; 50 held out",
        "quality 0.25",
    ):
        assert figures in listed
    assert "temperature" not in listed
    refused = shell("models", "export", "short", "out", "--onnx", status=2).err
    assert "was made by train-summarizer, which makes no models that can be written as ONNX" in refused
    told = [line.split() for line in shell("models", "show", "topics").lines]
    assert ["temperature", "1.375"] in told
    assert ["n_train", "123,456"] in told
    assert shell("models", "list", "--json").json[-1]["metrics"]["temperature"] == 1.375


def test_show_has_each_figure_of_the_gate_on_a_line_and_fits_a_terminal(shell: Shell) -> None:
    for _ in range(2):
        with shell.store.read() as session:
            champion = model_versions.champion(session, "near")
        bar = 0.4 if champion else None
        judged = [
            Judged("neighbours_kept", 0.25, bar, None, champion is None),
            Judged("unknown_share", 0.5, None, None, True),
        ]
        judgement = Judgement(champion.id if champion else None, judged)
        made(shell, "near", "train-similarity", judgement, self_rank=0.5, n_words=1e6)

    shown = shell("models", "show", "near")
    assert "gate: refused beside version 1" in shown.lines
    told = [line.split() for line in shown.lines]
    assert ["neighbours_kept", "0.25", "at", "least", "0.4:", "missed"] in told
    assert max(map(len, shown.lines)) <= 80
    listed = shell("models", "list").out
    assert "refused beside version 1: neighbours_kept 0.25 at least 0.4" in listed
    assert "unknown_share" not in listed


def test_every_model_has_a_page_and_a_training_has_that_of_its_model(shell: Shell, tmp_path: Path) -> None:
    made(shell, "near", "train-similarity", self_rank=0.5)
    classifier(shell, 100)
    near, topics = (row["job_id"] for row in reversed(shell("status", "--json").json))
    for job, name in ((near, "near"), (topics, "topics")):
        of_model, of_job = tmp_path / f"{name}.html", tmp_path / f"job-{job}.html"
        shell("models", "show", name, "--html", of_model)
        assert shell("results", job, "--html", of_job).out == f"{of_job}\n"
        assert of_model.read_text() == of_job.read_text()
        assert f"{name}@1" in of_model.read_text()
    assert "self_rank" in (tmp_path / "near.html").read_text()
