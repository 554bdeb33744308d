"""What a model sees of the nouns that stand together: where a name ends, and what follows it."""

from __future__ import annotations

import pytest

from nlp_tasks import text as texts
from nlp_tasks.entities.noun_runs import features_of_runs, runs_of
from nlp_tasks.entities.units import units_of


@pytest.mark.parametrize(
    ("sentence", "runs"),
    [
        ("방송문화진흥회로부터 해임된", [("방송문화진흥회", "진흥회", "로부터"), ("해임", "해임", "된")]),
        ("칼 라거펠트와 협업", [("칼", "칼", " "), ("라거펠트", "라거펠트", "와"), ("협업", "협업", " ")]),
        ("지린(吉林)성", [("지린", "지린", "("), ("吉林", "吉林", ")"), ("성", "성", " ")]),
        ("", []),
        ("!?", []),
    ],
)
def test_runs_end_where_nouns_end(sentence: str, runs: list[tuple[str, str, str]]) -> None:
    found = runs_of(sentence, list(texts.analysed(sentence)))

    assert [(each.text, each.head, each.tail) for each in found] == runs
    assert all(sentence[each.start : each.end] == each.text for each in found)


def test_a_unit_sees_the_end_of_its_run_and_the_runs_beside_it() -> None:
    sentence = "검찰은 방송문화진흥회를 조사"
    units = units_of(sentence)
    runs = runs_of(sentence, list(texts.analysed(sentence)))
    of_unit = dict(
        zip((sentence[start:end] for start, end in units), features_of_runs(units, runs), strict=True)
    )

    assert {"r-head=진흥회B", "r-e1=회4", "r-tail=를B", "r-head=검찰", "r-tail=은", "r+head=조사"} >= {
        each for each in of_unit["방"] if each.startswith(("r-head", "r-e1=", "r-tail", "r+head"))
    }
    assert "r+head=진흥회" in of_unit["은"]
    assert len(of_unit["은"]) < len(of_unit["방"])
