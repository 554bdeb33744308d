"""Random edits of a store and its sources, and a model in plain Python of what a night has to do after each.

    python -m tests.scheduler.night_edits --edits 1000      on a SQLite store; --seed repeats a run

The model knows versions of texts and what became of each under which work; it shares no code with the planner.
"""

from __future__ import annotations

import logging
import random
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeAlias

from sqlalchemy import text

from db.documents import NewDocument
from db.errors import ConflictError, NothingToDoError
from db.store import Store
from scheduler import requests
from scheduler.requests import JobRequest
from tests.db.builders import add
from tests.scheduler.nights import NightRun, night_run
from workers import kinds

#: What a text is answered with by the kinds "oracle" and "three" (tests.kinds).
TEXTS = ("a text", "another text", "", "!raise", "!raise 1", "!error 1", "!error 2", "한국어 문서")
KEYS = tuple(f"k{i}" for i in range(9))
STEPS = ("oracle", "three", "weigh")

Work: TypeAlias = "tuple[Any, ...]"


def result_of(kind: str, body: str) -> str:
    """ "ok", or whether the error says something about the text ("final") or not ("passing")."""
    if kind == "oracle" and body == "!raise":
        return "passing"
    if kind == "three" and body == "!raise 1":
        return "passing"
    if kind == "three" and body.startswith("!error"):
        return "final"
    return "ok"


@dataclass
class Model:
    """What the store and the sources hold."""

    #: Of the source: key -> (text, label).
    source: dict[str, tuple[str, str | None]] = field(default_factory=dict)
    #: Of the store: key -> (text, number of the version).
    stored: dict[str, tuple[str, int]] = field(default_factory=dict)
    n_versions: int = 0
    #: (work, number of a version) -> the best that came of it.
    results: dict[tuple[Work, int], str] = field(default_factory=dict)
    parameters: dict[str, Any] = field(default_factory=dict)
    epoch: int = 1
    champion: int = 1
    retry: str = "passing"

    def work(self, kind: str) -> Work:
        if kind == "oracle":
            return (
                kind,
                tuple(sorted(({"seconds": 0.0, "batch": 32} | self.parameters).items())),
                self.epoch,
            )
        return (kind, self.champion) if kind == "weigh" else (kind,)

    def coming(self) -> dict[str, str]:
        """key -> text after the sources were read; a blank text cannot be stored, and what it replaces stays."""
        found = {key: body for key, (body, _) in self.stored.items()}
        found |= {key: body for key, (body, _) in self.source.items() if body}
        gone = found.keys() - self.source.keys()
        if len(gone) * 2 <= len(self.stored):
            found = {key: body for key, body in found.items() if key not in gone}
        return found

    def to_do(self, kind: str) -> dict[str, str]:
        """key -> text of what a step has to do."""
        todo = {}
        for key, body in self.coming().items():
            before = self.stored.get(key)
            came = self.results.get((self.work(kind), before[1])) if before and before[0] == body else None
            again = {"ok": False, "final": self.retry == "all", "passing": self.retry != "none", None: True}
            if again[came]:
                todo[key] = body
        return todo

    def everything(self) -> dict[str, dict[str, str]]:
        now, before = self.coming(), {key: body for key, (body, _) in self.stored.items()}
        # What is to come is known by its text and label together.
        added = {key: str(self.source[key]) for key, body in now.items() if before.get(key) != body}
        removed = dict.fromkeys(before.keys() - now.keys(), "removed")
        return {kind: self.to_do(kind) for kind in STEPS} | {"add": added | removed}

    def add(self) -> None:
        now = self.coming()
        for key in list(self.stored):
            if key not in now:
                del self.stored[key]
        for key, body in now.items():
            self.store(key, body)

    def store(self, key: str, body: str) -> None:
        if key not in self.stored or self.stored[key][0] != body:
            self.n_versions += 1
            self.stored[key] = (body, self.n_versions)

    def do(self, kind: str, keys: Any) -> None:
        for key in keys:
            body, version = self.stored[key]
            at, rank = (self.work(kind), version), ("passing", "final", "ok")
            came = result_of(kind, body)
            self.results[at] = max(self.results.get(at, "passing"), came, key=rank.index)


class Player:
    """Plays edits on a store and on the model, and compares."""

    def __init__(self, run: NightRun, draw: random.Random) -> None:
        self.run, self.draw, self.model = run, draw, Model()
        self.n_edits = self.n_refused = self.n_nights = 0
        self._epoch(1)
        self._train()

    def toml(self) -> str:
        """The file of the night, written differently each time."""
        given = list(self.model.parameters.items())
        self.draw.shuffle(given)
        parameters = ", ".join(f"{name} = {value}" for name, value in given)
        lines = [f"parameters = {{ {parameters} }}", 'do = "oracle"', f'retry = "{self.model.retry}"']
        self.draw.shuffle(lines)
        rest = "".join(
            f'\n[[step]]\ndo = "{kind}"\nretry = "{self.model.retry}"\n'
            + ('model = "m"\n' if kind == "weigh" else "")
            for kind in STEPS[1:]
        )
        comment = f"# {self.draw.random()}\n"
        body = "\n".join(lines)
        return (
            f'{comment}name = "news"\ncollection = "news"\nmissing = "remove"\n'
            f'[[source]]\nfiles = "in"\n[[step]]\n{body}\n{rest}'
        )

    # --- edits ------------------------------------------------------------------------------------------------------

    def edit(self) -> str:
        """One random edit of the sources, the store, or what the night asks for."""
        self.n_edits += 1
        edits = (
            *([self.write_document] * 6), self.drop_document, self.relabel, self.reorder, self.by_hand,
            self.job_by_hand, self.parameter, self.newer_code, self.promote, self.other_retry,
        )  # fmt: skip
        chosen = self.draw.choice(edits)
        chosen()
        return chosen.__name__

    def write_document(self) -> None:
        self.model.source[self.draw.choice(KEYS)] = (
            self.draw.choice(TEXTS),
            self.draw.choice((None, "x", "y")),
        )
        self._write()

    def drop_document(self) -> None:
        """Not the last one: a file without records cannot be read, so what came of it is kept (test_nights)."""
        if len(self.model.source) > 1:
            del self.model.source[self.draw.choice(sorted(self.model.source))]
        self._write()

    def relabel(self) -> None:
        for key, (body, _) in self.model.source.items():
            self.model.source[key] = (body, self.draw.choice((None, "x", "y", "z")))
        self._write()

    def reorder(self) -> None:
        items = list(self.model.source.items())
        self.draw.shuffle(items)
        self.model.source = dict(items)
        self._write()

    def by_hand(self) -> None:
        """Somebody adds a document without the night's sources."""
        key, body = self.draw.choice(KEYS), self.draw.choice([one for one in TEXTS if one])
        add(self.run.store, [NewDocument(key, body, None, "by hand")])
        self.model.store(key, body)

    def job_by_hand(self) -> None:
        """Somebody submits a job like a step's, over all documents or the new ones."""
        kind, only_new = self.draw.choice(STEPS[:2]), self.draw.random() < 0.5
        given = self.model.parameters if kind == "oracle" else {}
        request = JobRequest(kind, "news", parameters=dict(given), only_new=only_new)
        keys = [
            key
            for key, (_, version) in self.model.stored.items()
            if not only_new or self.model.results.get((self.model.work(kind), version)) != "ok"
        ]
        try:
            with self.run.store.write() as session:
                job_id = requests.submit(session, request).job_id
        except (NothingToDoError, LookupError):
            job_id = None
        assert (job_id is None) == (not keys), keys
        if job_id is None:
            return
        while _state(self.run.store, job_id) != "finished":
            self.run.work()
            self.run.mover.move_jobs()
        self.model.do(kind, keys)

    def parameter(self) -> None:
        self.model.parameters = self.draw.choice(
            ({}, {"batch": 16}, {"seconds": 0.0}, {"batch": 32, "seconds": 0.0})
        )

    def newer_code(self) -> None:
        self._epoch(self.draw.choice((1, 2)))

    def promote(self) -> None:
        self._train()

    def other_retry(self) -> None:
        self.model.retry = self.draw.choice(("passing", "all", "none"))

    def _epoch(self, epoch: int) -> None:
        self.model.epoch = epoch
        known = kinds.all_kinds()
        known["oracle"] = replace(known["oracle"], epoch=epoch)

    def _train(self) -> None:
        if not self.model.stored:
            add(self.run.store, [NewDocument("k0", "a text", None, "by hand")])
            self.model.store("k0", "a text")
        quality = 0.5 + 0.01 * self.model.champion
        with self.run.store.write() as session:
            request = JobRequest("train-gated", "news", "m", {"quality": quality})
            job_id = requests.submit(session, request).job_id
        while _state(self.run.store, job_id) != "finished":
            self.run.work()
            self.run.mover.move_jobs()
        self.model.champion += 1

    def _write(self) -> None:
        labels = {key: label for key, (_, label) in self.model.source.items() if label}
        self.run.write({key: body for key, (body, _) in self.model.source.items()}, labels)

    # --- nights -----------------------------------------------------------------------------------------------------

    def night(self, n_edits: int) -> None:
        """A plan, perhaps an edit after it, and the night. The plan has what the model has; if the edit matters, the
        night is refused; else it executes exactly the plan."""
        toml = self.toml()
        plan = self.run.plan(toml)
        before = self.model.everything()
        planned = {step: set(self.run.planned(plan.id, step)) for step in before}
        assert planned == {step: set(keys) for step, keys in before.items()}, self.edits
        done = [self.edit() for _ in range(n_edits)]
        self.edits += done
        after = self.model.everything()
        works = {"parameter", "newer_code", "promote", "other_retry"}
        try:
            night_id, refusal = self.run.run(self.toml(), plan.id), None
        except ConflictError as error:
            night_id, refusal = self.run.run(self.toml()), str(error)
        if refusal is None:
            assert before == after, (done, before, after)
        else:
            self.n_refused += 1
            assert before != after or works & set(done), (refusal, done, before, after)
        self.n_nights += 1
        self.model.add()
        for kind in STEPS:
            executed = self.run.executed(night_id, kind)
            assert set(executed) == set(after[kind]), (kind, self.edits)
            for key, code in executed.items():
                assert (code == "ok") == (result_of(kind, self.model.stored[key][0]) == "ok"), (
                    kind,
                    key,
                    code,
                )
            self.model.do(kind, executed)

    edits: list[str]


def _state(store: Store, job_id: int) -> str:
    with store.read() as session:
        return str(session.scalar(text(f"SELECT state FROM job WHERE id = {job_id}")))


def play(store: Store, folder: Path, draw: random.Random, n_edits: int) -> Player:
    """Random edits, and a night after every few of them."""
    with night_run(store, folder) as run:
        player = Player(run, draw)
        player.edits = []
        while player.n_edits < n_edits:
            player.edits += [player.edit() for _ in range(draw.randint(0, 4))]
            player.night(draw.choice((0, 0, 1, 2)))
        return player


def main() -> None:
    import argparse
    import os
    import tempfile

    from db.migrations import upgrade

    parser = argparse.ArgumentParser()
    parser.add_argument("--edits", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    parser.add_argument("--each", type=int, default=100, help="edits of one store")
    asked = parser.parse_args()
    # Documents are asked to raise.
    logging.disable(logging.ERROR)
    print(f"seed {asked.seed}")
    n_edits = n_nights = n_refused = 0
    for number in range(-(-asked.edits // asked.each)):
        with tempfile.TemporaryDirectory(prefix="dm-edits-") as name:
            folder = Path(name)
            os.environ["DOCMILL_HOME"] = str(folder / "home")
            os.environ["DOCMILL_KIND_MODULES"] = "tests.kinds"
            from workers.settings import settings

            settings.cache_clear()
            kinds.all_kinds.cache_clear()
            kinds.all_kinds()
            store = Store(f"sqlite:///{folder}/docmill.db")
            upgrade(store)
            played = play(store, folder, random.Random(asked.seed + number), asked.each)
            store.close()
        n_edits, n_nights, n_refused = (
            n_edits + played.n_edits,
            n_nights + played.n_nights,
            n_refused + played.n_refused,
        )
        print(
            f"{n_edits} edits, {n_nights} nights: planned and executed were equal; {n_refused} stale plans refused"
        )


if __name__ == "__main__":
    sys.exit(main())
