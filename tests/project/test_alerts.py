"""Alerts and the board name metrics that are exported, with the labels that they have; every alert has a runbook and a
test. With promtool, Prometheus itself checks the rules and runs their tests."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml

from tests.project.alert_cases import CASES, as_tests
from workers.metrics.catalogue import METRICS, Sort

ROOT = Path(__file__).parents[2]
RULES = ROOT / "deploy" / "prometheus" / "docmill.rules.yml"
BOARD = json.loads((ROOT / "deploy" / "grafana" / "docmill.json").read_text(encoding="utf-8"))
ALERTS: list[dict[str, Any]] = [
    rule for group in yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"] for rule in group["rules"]
]
#: Series that Prometheus stores -> their labels; `up` is Prometheus' own. Each target adds job and instance.
OF_TARGETS = {"job", "instance"}
SERIES = {
    name: {*metric.labels, *(("le",) if name.endswith("_bucket") else ())}
    for metric in METRICS.values()
    for name in metric.series
} | {"up": set()}


class Selectors(dict[str, set[str]]):
    """Collects the series that an expression names, with the labels that it asks of each."""

    def __call__(self, expression: Any) -> Selectors:
        self._visit(expression)
        return self

    def _visit(self, node: Any) -> None:
        if isinstance(node, promql_parser.VectorSelector):
            labels = {matcher.name for matcher in node.matchers.matchers}
            self.setdefault(str(node.name), set()).update(labels)
            return
        if isinstance(node, promql_parser.MatrixSelector):
            self._visit(node.vector_selector)
            return
        for name in ("expr", "lhs", "rhs", "param"):
            child = getattr(node, name, None)
            if child is not None:
                self._visit(child)
        for argument in getattr(node, "args", None) or ():
            self._visit(argument)


def problems(expression: str) -> Iterator[str]:
    """What is wrong with an expression; nothing if Prometheus could answer it."""
    try:
        found = Selectors()(promql_parser.parse(expression))
    except ValueError as error:
        yield f"{expression}: {error}"
        return
    if not found:
        yield f"{expression}: names no metric"
    for name, labels in found.items():
        if name not in SERIES:
            yield f"{expression}: there is no metric {name}"
        elif unknown := labels - SERIES[name] - OF_TARGETS:
            yield f"{expression}: {name} has no label {', '.join(sorted(unknown))}"
    grouped = {
        label for group in re.findall(r"\b(?:by|on) \(([^)]*)\)", expression) for label in group.split(", ")
    }
    known = set().union(*(SERIES.get(name, set()) for name in found)) | OF_TARGETS | {""}
    if unknown := grouped - known:
        yield f"{expression}: groups by {', '.join(sorted(unknown))}, which no metric in it has"


def expressions_of_the_board() -> list[str]:
    made = [target["expr"] for panel in BOARD["panels"] for target in panel.get("targets", ())]
    variables = {"$job": ".*", "$kind": ".*", "$__rate_interval": "5m"}
    for name, value in variables.items():
        made = [each.replace(name, value) for each in made]
    return made


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert["alert"])
def test_an_alert_names_what_is_exported(alert: dict[str, Any]) -> None:
    assert list(problems(alert["expr"])) == []
    assert alert["labels"]["severity"] in ("critical", "warning")
    words = alert["annotations"]["summary"] + alert["annotations"]["description"]
    grouping = re.search(r"^\(?(?:sum|max) by \(([^)]*)\)", alert["expr"])
    there = set(grouping[1].split(", ")) if grouping else _labels(alert["expr"])
    assert set(re.findall(r"\$labels\.(\w+)", words)) <= there


def _labels(expression: str) -> set[str]:
    found = Selectors()(promql_parser.parse(expression))
    return set().union(*(SERIES[name] for name in found)) | OF_TARGETS


def test_every_alert_has_a_runbook_entry_and_the_other_way_round() -> None:
    entries = re.findall(r"^## (\w+)$", (ROOT / "docs" / "alerts.md").read_text(encoding="utf-8"), re.M)
    assert sorted(entries) == sorted(alert["alert"] for alert in ALERTS)
    for alert in ALERTS:
        anchor = alert["annotations"]["runbook_url"].partition("docs/alerts.md#")[2]
        assert anchor == alert["alert"].lower()


def test_every_command_of_a_runbook_exists() -> None:
    from typer.main import get_command

    from docmill.cli import app

    group: Any = get_command(app)
    text = (ROOT / "docs" / "alerts.md").read_text(encoding="utf-8")
    for line in re.findall(r"`docmill\s+([^`]+)`", text):
        words = line.split()
        command = group.commands[words[0]]
        if words[1:] and words[1] in getattr(command, "commands", {}):
            command = command.commands[words[1]]
        options = {name for parameter in command.params for name in parameter.opts} | {"--help"}
        assert {word for word in words if word.startswith("--")} <= options, line


def test_every_alert_has_a_case_in_which_it_fires() -> None:
    assert set(CASES) == {alert["alert"] for alert in ALERTS}


@pytest.mark.long
@pytest.mark.skipif(
    shutil.which("promtool") is None, reason="promtool is not installed: apt-get install prometheus"
)
def test_prometheus_accepts_the_rules_and_they_fire_as_they_should(tmp_path: Path) -> None:
    tests = tmp_path / "tests.yml"
    tests.write_text(yaml.safe_dump(as_tests(str(RULES))), encoding="utf-8")
    for command in (
        ["check", "rules", RULES],
        ["check", "config", RULES.parent / "prometheus.yml"],
        ["test", "rules", tests],
    ):
        said = subprocess.run(["promtool", *map(str, command)], capture_output=True, text=True)
        assert said.returncode == 0, said.stdout + said.stderr


def test_the_board_asks_for_what_is_exported() -> None:
    assert [problem for expression in expressions_of_the_board() for problem in problems(expression)] == []


def test_every_metric_is_on_the_board() -> None:
    asked = {name for each in expressions_of_the_board() for name in Selectors()(promql_parser.parse(each))}
    missing = [metric.name for metric in METRICS.values() if not asked & set(metric.series)]
    assert missing == []


def test_the_board_has_the_form_that_grafana_reads() -> None:
    panels = BOARD["panels"]
    variables = {variable["name"] for variable in BOARD["templating"]["list"]}
    assert {"title", "uid", "schemaVersion", "time", "refresh"} <= set(BOARD)
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert panel["type"] in ("row", "timeseries", "stat")
        assert place["x"] + place["w"] <= 24
        assert not cells & taken, panel["title"]
        taken |= cells
        if panel["type"] == "row":
            continue
        assert panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"]
        assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
        for target in panel["targets"]:
            used = set(re.findall(r"\$(\w+)", target["expr"]))
            assert used <= variables | {"__rate_interval"}
            assert set(re.findall(r"{{(\w+)}}", target["legendFormat"])) <= _labels_of(target["expr"])
        assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"])


def _labels_of(expression: str) -> set[str]:
    plain = expression.replace("$__rate_interval", "5m").replace("$job", ".*").replace("$kind", ".*")
    return _labels(plain)


def test_counters_are_only_asked_for_their_growth() -> None:
    """A counter starts again at 0 with its process: only rate() and increase() know that."""
    for expression in [*expressions_of_the_board(), *(alert["expr"] for alert in ALERTS)]:
        for metric in METRICS.values():
            if metric.sort is not Sort.GAUGE:
                for name in metric.series:
                    uses = re.findall(rf"(\w+)\({name}\b|(?<![\w(]){name}\b", expression)
                    assert set(uses) <= {"rate", "increase"}, expression


def test_what_is_wrong_is_found() -> None:
    assert list(problems("sum by (kind) (rate(docmill_documents_total[5m])) > 1")) == []
    assert "no metric docmill_document_total" in next(problems("rate(docmill_document_total[5m])"))
    assert "no label collection" in next(problems('docmill_ready_chunks{collection="a"}'))
    assert "groups by state" in next(problems("sum by (state) (docmill_ready_chunks)"))
    assert list(problems("sum(docmill_ready_chunks")) != []
