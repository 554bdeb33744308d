"""The digest as one HTML file. It loads nothing and runs nothing, and what comes from documents is escaped."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import version
from typing import Any
from zoneinfo import ZoneInfo

from docmill.pages.markup import Markup, element, joined
from docmill.pages.night import charts
from docmill.pages.night.facts import Night
from docmill.pages.night.growth import Grown
from docmill.pages.night.remedies import remedy
from docmill.pages.night.style import STYLE
from docmill.pages.night.words import day, words
from nlp_tasks.text import language as language_of

#: Nothing is loaded, run or sent, whatever a document is called.
POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
#: Characters of a key, a detail and a summary.
KEY_CHARS, DETAIL_CHARS, SUMMARY_CHARS, WORD_CHARS = 90, 240, 900, 60
#: Nights of the chart on a phone.
NARROW_NIGHTS = 7

Section = tuple[str, list[Markup]]


def page(night: Night, language: str = "en") -> str:
    """The whole page, in English or Korean."""
    made = _Page(night, language)
    body = element("main", *made.head(), *made.sections(), made.foot())
    head = joined(
        Markup(
            '<meta charset="utf-8"/><meta name="viewport" content="width=device-width, initial-scale=1"/>'
        ),
        element("title", made.title),
        Markup(f'<meta http-equiv="Content-Security-Policy" content="{POLICY}"/>'),
        Markup('<meta name="referrer" content="no-referrer"/>'),
        element("style", Markup(STYLE)),
    )
    whole = element("html", element("head", head), element("body", body), lang=language)
    return f"<!DOCTYPE html>\n{whole}\n"


@dataclass(frozen=True)
class _Cell:
    """A cell of a table: what is in it, and its class."""

    inside: str | Markup
    class_: str | None = None


class _Page:
    """One digest in one language."""

    def __init__(self, night: Night, language: str) -> None:
        self.night, self.language, self.say = night, language, words(language)
        self.zone = ZoneInfo(night.time_zone)
        self.title = clean(
            self.say(
                "title", schedule=night.row["schedule"], date=day(self._local(night.row["due_at"]), language)
            ),
            200,
        )

    # --- the top ---

    def head(self) -> Iterator[Markup]:
        """What there is to know at a glance."""
        row, say = self.night.row, self.say
        yield element("h1", self.title)
        yield element("p", self._state(), class_="lead bad" if row["state"] == "failed" else "lead")
        when = say(
            "when",
            due=self._time(row["due_at"]),
            zone=self.night.time_zone,
            made=self._time(self.night.made_at),
        )
        yield element("p", when, class_="soft")
        changes = self.night.n_changes
        yield element(
            "ul",
            self._tile("new", row["n_new"], "n_new"),
            self._tile("changed", row["n_changed"], "n_changed"),
            self._tile("errors", row["n_error"] - row["n_cancelled"], "n_error", is_bad=True),
            self._tile("flips", changes.get("label", 0), "label"),
            self._tile("close", changes.get("neighbour", 0), "neighbour"),
            self._tile("took", row["seconds"], "seconds", is_time=True),
            class_="tiles",
        )

    def _state(self) -> str:
        row = self.night.row
        n_open = sum(job["state"] not in ("finished", "cancelled") for job in self.night.jobs)
        # A report is written by the night itself, which has not ended then.
        is_over = row["state"] == "running" and not n_open
        told = "nothing to do" if not row["n_jobs"] else "jobs_done"
        return self.say(
            told if is_over else str(row["state"]),
            time=self._time(row["finished_at"]) if row["finished_at"] else "",
            n=row["n_jobs"] - n_open, all=row["n_jobs"], fault=clean(row["fault"] or row["note"] or "", DETAIL_CHARS),
        )  # fmt: skip

    def _tile(
        self, name: str, value: float | None, usual: str, *, is_bad: bool = False, is_time: bool = False
    ) -> Markup:
        form = self._duration if is_time else number
        before = self.night.usual.get(usual)
        words_ = self.say("no_usual") if before is None else self.say("usually", value=form(before))
        return element(
            "li",
            element("b", "–" if value is None else form(value)),
            element("span", self.say(name)),
            element("span", words_, class_="soft"),
            class_="bad" if is_bad and value else None,
        )

    # --- the sections ---

    def sections(self) -> Iterator[Markup]:
        """Those that have something to tell, and the names of the others."""
        silent = []
        for name, inside in (
            ("needs", self._failures()), ("nights", self._nights()), ("extraction", self._extraction()),
            ("labels_grown", self._grown_labels()), ("terms_grown", self._grown_terms()),
            ("flips_title", self._flips()), ("close_title", self._neighbours()), ("central", self._central()),
            ("models", self._models()), ("speed", self._speed()),
        ):  # fmt: skip
            if inside:
                heading = element("h2", self.say(name), id=name)
                yield element("section", heading, *inside, aria_labelledby=name)
            else:
                silent.append(self.say(name))
        if silent:
            names = "; ".join(one[:1].lower() + one[1:] for one in silent)
            yield element("p", self.say("no_news", names=names), class_="soft")

    def _failures(self) -> list[Markup]:
        night, say = self.night, self.say
        found: list[Markup] = []
        if night.steps:
            lines = [
                [
                    _Cell(clean(row["name"], KEY_CHARS)),
                    _Cell(say(f"step {row['state']}"), "bad"),
                    _Cell(clean(row["note"] or "", DETAIL_CHARS), "long"),
                ]
                for row in night.steps
            ]
            found.append(self._table(("step", "came_to", "why"), lines))
        if night.failures:
            lines = []
            for row in night.failures:
                advice, command = remedy(row, self.language)
                lines.append([
                    _Cell(element("span", *_breakable(str(row["error_code"])), class_="bad")),
                    _Cell(clean(row["kind"], KEY_CHARS)), _Cell(number(row["n"]), "number"),
                    _Cell(joined(text(row["document_key"], KEY_CHARS), detail(row["error_detail"])), "long"),
                    _Cell(joined(advice, " ", element("code", clean(command, 400))), "long"),
                ])  # fmt: skip
            found += [
                element("p", say("needs_about"), class_="soft"),
                self._table(("cause", "kind", "count", "example", "remedy"), lines),
            ]
        if n := night.n_changes.get("recovered"):
            found.append(element("p", say("recovered", n=number(n)), class_="good"))
        return found

    def _nights(self) -> list[Markup]:
        night = self.night
        if not night.history:
            return []
        bars = [self._bar(row) for row in night.history] + [self._bar(night.row, is_this=True)]
        usual = None if not night.usual else night.usual["n_new"] + night.usual["n_changed"]
        label = f"{self.say('nights')}: " + ", ".join(bar.told for bar in bars)
        return [
            element("p", self.say("nights_about"), class_="soft"),
            element("figure", charts.nights(bars, usual, label, width=940), class_="wide"),
            element("figure", charts.nights(bars[-NARROW_NIGHTS:], usual, label, width=340), class_="narrow"),
        ]

    def _bar(self, row: Mapping[str, Any], *, is_this: bool = False) -> charts.Bar:
        due = self._local(row["due_at"])
        n, n_errors = row["n_new"] + row["n_changed"], row["n_error"] - row["n_cancelled"]
        told = f"{due:%Y-%m-%d}: {n:,}" + (f", {n_errors:,} {self.say('errors')}" if n_errors else "")
        return charts.Bar(f"{due:%m-%d}", n, n_errors, told, is_this)

    def _extraction(self) -> list[Markup]:
        found = self.night.extraction
        if found is None:
            return []
        names = {
            "files": "n_files", "texts": "n_documents", "pages": "n_pages", "chars": "n_chars",
            "files_failed": "n_error",
            "tables_left_out": "n_tables_left_out", "chars_left_out": "n_chars_left_out", "replaced": "n_replaced",
            "warned": "n_warned",
        }  # fmt: skip
        most = max(1, found["n_chars"] + found["n_chars_left_out"])
        lines = []
        for name, column in names.items():
            is_lost = name in ("files_failed", "chars_left_out", "replaced") and found[column]
            share = found[column] / (found["n_files"] if name == "files_failed" else most)
            told = f"{number(found[column])}{f' ({percent(share)})' if is_lost else ''}"
            lines.append([_Cell(self.say(name)), _Cell(told, "number bad" if is_lost else "number")])
        return [self._table((), lines)]

    def _grown_labels(self) -> list[Markup]:
        if not self.night.grown_labels:
            return []
        return [
            element("p", self.say("labels_grown_about"), class_="soft"),
            self._grown(self.night.grown_labels, {}),
        ]

    def _grown_terms(self) -> list[Markup]:
        if not self.night.grown_terms:
            return []
        now, before = self.night.n_read
        about = self.say("terms_grown_about", now=number(now), before=number(before))
        return [element("p", about, class_="soft"), self._grown(self.night.grown_terms, self.night.examples)]

    def _grown(self, rows: Sequence[Grown], examples: Mapping[str, str]) -> Markup:
        most = max(max(row.share, row.usual) for row in rows)
        lines = []
        for row in rows:
            name = text(row.name, KEY_CHARS) if row.name else Markup(self.say("abstained"))
            line = [
                _Cell(element("b", name)), _Cell(charts.bar(row.share, most, row.usual), "picture"),
                _Cell(f"{percent(row.share)} ({number(row.n)})", "number"), _Cell(percent(row.usual), "number"),
            ]  # fmt: skip
            lines.append([*line, _Cell(text(examples[row.name], KEY_CHARS))] if examples else line)
        heads = ("", "", "this_night", "before", *(("example",) if examples else ()))
        return self._table(heads, lines)

    def _flips(self) -> list[Markup]:
        lines = [
            [
                _Cell(text(row["document_key"], KEY_CHARS)),
                _Cell(
                    joined(
                        self._label(row["label_before"]), Markup(' <span class="arrow">→</span> '),
                        element("b", self._label(row["label_after"])),
                    )
                ),
                _Cell(self.say(row["detail"]) if row["detail"] else ""),
            ]
            for row in self.night.labels
        ]  # fmt: skip
        return self._list(("document", "flips", "why"), lines, "label")

    def _label(self, label: str | None) -> Markup:
        return (
            element("span", self.say("abstained"), class_="soft") if label is None else text(label, KEY_CHARS)
        )

    def _neighbours(self) -> list[Markup]:
        lines = [
            [
                _Cell(text(row["document_key"], KEY_CHARS)), _Cell(text(row["neighbour_key"], KEY_CHARS)),
                _Cell(charts.bar(row["score"], 1.0), "picture spare"), _Cell(f"{row['score']:.3f}", "number"),
            ]
            for row in self.night.neighbours
        ]  # fmt: skip
        about = self.say("close_about", score=f"{self.night.close_from or 0.0:.3f}")
        found = self._list(("document", "near", "", "score"), lines, "neighbour")
        return [element("p", about, class_="soft"), *found] if found else []

    def _list(self, heads: Sequence[str], lines: Sequence[Sequence[_Cell]], change: str) -> list[Markup]:
        """A table that is cut, and how to see the rest."""
        if not lines:
            return []
        found = [self._table(heads, lines)]
        if (n_in_all := self.night.n_changes.get(change, 0)) > len(lines):
            run = self.night.row["run_id"]
            query = f"SELECT * FROM v_night_diff WHERE run_id = {run} AND change = '{change}'"  # noqa: S608 (to be read)
            found.append(
                element("p", self.say("more", n=number(n_in_all - len(lines)), query=query), class_="soft")
            )
        return found

    def _central(self) -> list[Markup]:
        if not self.night.central:
            return []
        return [
            element("p", self.say("central_about"), class_="soft"),
            *(
                element(
                    "article",
                    element("h3", text(row["document_key"], KEY_CHARS)),
                    element(
                        "p",
                        element("bdi", clean(row["summary"], SUMMARY_CHARS, WORD_CHARS)),
                        lang=language_of(row["summary"]),
                    ),
                    class_="summary",
                )
                for row in self.night.central
            ),
        ]

    def _models(self) -> list[Markup]:
        lines = []
        for row in self.night.models:
            judged = row["gate"]
            verdict = "not_judged" if judged is None else "passed" if judged.passed else "refused"
            class_ = {"passed": "good", "refused": "bad"}.get(verdict, "soft")
            in_use = f" · {self.say('champion')}" if row["is_champion"] else ""
            figures = "" if judged is None else "; ".join(map(str, judged.figures))
            lines.append([
                _Cell(joined(element("b", text(f"{row['model']}@{row['version']}", KEY_CHARS)), in_use)),
                _Cell(element("span", self.say(verdict), class_=class_)),
                _Cell(joined(clean(figures, 400), *self._if_refused(row, verdict))),
            ])  # fmt: skip
        return [self._table(("model", "gate", "figures"), lines)] if lines else []

    def _if_refused(self, row: Mapping[str, Any], verdict: str) -> list[Markup]:
        if verdict != "refused":
            return []
        return [Markup(" "), element("code", clean(f"docmill models show {row['model']}", 200))]

    def _speed(self) -> list[Markup]:
        rows = self.night.throughput
        lines = []
        for row in rows:
            most = max(row["speed"], row["usual"] or 0.0)
            lines.append([
                _Cell(clean(row["kind"], KEY_CHARS)), _Cell(number(row["n_documents"]), "number"),
                _Cell(charts.bar(row["speed"], most, row["usual"]), "picture"),
                _Cell(speed(row["speed"]), "number"),
                _Cell("–" if row["usual"] is None else speed(row["usual"]), "number"),
            ])  # fmt: skip
        return [self._table(("kind", "count", "", "per_second", "usual"), lines)] if lines else []

    def foot(self) -> Markup:
        """Where all of it is."""
        run = self.night.row["run_id"]
        queries = "\n".join(
            f'docmill sql "SELECT * FROM {view} WHERE run_id = {run}"'  # noqa: S608 (to be read)
            for view in ("v_night", "v_night_diff", "v_label_trend", "v_throughput")
        )
        return element(
            "footer",
            element("h2", self.say("query")),
            element("pre", queries),
            element("p", f"docmill {version('docmill')}", class_="soft"),
        )

    # --- parts ---

    def _table(self, heads: Sequence[str], lines: Iterable[Sequence[_Cell]]) -> Markup:
        """On a phone, each line becomes a block, in which the cells have their names."""
        names = [self.say(head) if head else "" for head in heads]
        rows = []
        for line in lines:
            numbers = [*names, *[""] * (len(line) - len(names))]
            first = element("th", line[0].inside, scope="row", class_=line[0].class_)
            rest = [
                element("td", cell.inside, class_=cell.class_, data_name=name or None)
                for cell, name in zip(line[1:], numbers[1:], strict=True)
            ]
            rows.append(element("tr", first, *rest))
            shapes = [cell.class_ for cell in line]
        head = []
        if names:
            cells = [
                # An empty head says nothing to a screen reader, so it is a plain cell.
                element("th", name, scope="col", class_="number" if shape == "number" else None)
                if name else element("td", class_=shape if shape and shape.startswith("picture") else None)
                for name, shape in zip(names, shapes, strict=True)
            ]  # fmt: skip
            head = [element("thead", element("tr", *cells))]
        return element("table", *head, element("tbody", *rows), class_="stacked" if names else None)

    def _local(self, moment: datetime) -> datetime:
        return moment.astimezone(self.zone)

    def _time(self, moment: datetime) -> str:
        return f"{self._local(moment):%Y-%m-%d %H:%M}"

    def _duration(self, seconds: float) -> str:
        if seconds < 60:
            return self.say("seconds", s=f"{seconds:.1f}" if seconds < 10 else f"{seconds:.0f}")
        minutes, rest = divmod(round(seconds), 60)
        if minutes < 60:
            return self.say("minutes", m=minutes, s=rest)
        return self.say("hours", h=minutes // 60, m=minutes % 60)


def text(value: object, most: int) -> Markup:
    """What comes from a document: isolated, so that its direction turns nothing around it."""
    return element("bdi", clean(value, most))


def detail(value: object) -> Markup:
    """What was seen of an error, under its document."""
    return element("span", text(value, DETAIL_CHARS), class_="detail")


def clean(value: object, most: int, word_chars: int = 400) -> str:
    """On one line, cut, and without characters that are not seen."""
    # Cut first: a word may have a million characters.
    found = str("" if value is None else value)[: 4 * most].split()
    line = " ".join(word if len(word) <= word_chars else f"{word[: word_chars - 1]}…" for word in found)
    line = "".join(
        "\ufffd" if unicodedata.category(char)[0] == "C" and char not in "\u200c\u200d" else char
        for char in line
    )
    return line if len(line) <= most else line[: most - 1] + "…"


def _breakable(code: str) -> Iterator[Markup]:
    """A line may end after each underscore of a code."""
    for place, part in enumerate(code.split("_")):
        yield joined(*([Markup("_<wbr>")] if place else []), part)


def number(value: float) -> str:
    """ "1,204"; medians may have a half."""
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:,.1f}"


def percent(share: float) -> str:
    """ "43 %"; small shares with a digit more."""
    return f"{100 * share:.0f} %" if share == 0 or share >= 0.095 else f"{100 * share:.1f} %"


def speed(value: float) -> str:
    """Of two digits at least."""
    return f"{value:,.0f}" if value >= 10 else f"{value:.2g}"
