"""A model of similarity that is retrained from its champion: the version says from which."""

from __future__ import annotations

from tests.commands.conftest import Shell

TRAIN = ("train", "similarity", "--collection", "inbox", "--model", "m", "-p", "vector_size=8", "--json")
TEXTS = [
    f"{topic} {i} {topic}" for i in range(6) for topic in ("서울 강 다리 물", "profit loss market share")
]


def test_a_training_goes_on_from_the_champion_that_it_names(shell: Shell) -> None:
    shell.texts(*TEXTS)
    assert "there is no model 'm'" in shell(*TRAIN, "-p", "start_from=m", status=1).err
    shell.work(shell(*TRAIN, "-p", "epochs=20").json["job"])
    shell.texts(*TEXTS, "profit loss", "강 물")
    job_id = shell(*TRAIN, "-p", "start_from=m", "-p", "epochs=5").json["job"]
    shell.work(job_id)
    newest = shell("models", "show", "m", "--json").json[0]
    assert newest["version"] == 2
    assert newest["parameters"]["start_from"] == "m@1"
    assert {"self_rank", "champion_self_rank"} <= {figure["name"] for figure in newest["gate"]["figures"]}
