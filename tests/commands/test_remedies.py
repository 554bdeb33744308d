"""What a message advises works: each bad input is run, the advice is followed as it is printed, and all is well.

`CASES` has an input for every refusal of the readers and every advice of the commands that read files.
`test_every_message_has_a_case` fails when a message is added without one.
"""

from __future__ import annotations

import ast
import gzip
import json
import os
import re
import shlex
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow
import pyarrow.parquet as pq
import pytest

from readers.records import RefusedError
from tests.commands.conftest import Said, Shell

ROOT = Path(__file__).parents[2]
KOREAN = "그것은 이른 아침에 하는 일이다."

ADD = "add {file} --collection new"
ADD_DOCS = "add docs --collection new"
LABELS = "train classify --collection inbox --labels {file} --json"
REFERENCES = "evaluate {job} --references {file} --json"
PAIRS = "train summarizer --collection inbox --pairs {file} --json"

#: A report of the readers, as commands print it.
REPORT = re.compile(r": ([A-Z][A-Z0-9_]{2,}): ")
#: "--encoding cp949", "--text-field 'a[].b'"; and "leave --encoding out".
OPTION = re.compile(r"(?:as in|add) (--[a-z-]+) ('[^']*'|[^\s,;()]+)")
NAMED = re.compile(r"with (--[a-z-]+)")
LEFT_OUT = re.compile(r"leave (--[a-z-]+) out")


@dataclass(frozen=True)
class Case:
    """A bad input, and what a person who follows the prose of the message makes of it."""

    code: str
    #: File name -> content.
    files: dict[str, bytes | Callable[[Path], object]]
    command: str = ADD
    #: The same files once fixed; or none, where an option is advised.
    fixed: dict[str, bytes | Callable[[Path], object]] | None = None
    #: Another command, where the message names a command with a placeholder, or a file that is another.
    then: str | None = None
    #: For options whose value only the person knows.
    values: dict[str, str] = field(default_factory=dict)
    #: What `-` stands for.
    stdin: bytes | None = None
    #: The advice is about seeing all that is bad.
    stays_bad: bool = False


def add(code: str, name: str, bad: bytes, good: bytes | None = None, words: str = "", **more: object) -> Case:
    fixed = None if good is None else {name: good}
    return Case(code, {name: bad}, f"{ADD} {words}", fixed, **more)  # type: ignore[arg-type]


def line(code: str, bad: bytes, good: bytes = b'{"id": "k", "text": "x"}') -> Case:
    """A line between two good ones."""
    around = b'{"id": "a", "text": "%s"}\n%%b\n{"id": "z", "text": "y"}\n' % KOREAN.encode()
    return add(code, "a.jsonl", around.replace(b"%b", bad), around.replace(b"%b", good))


def labels(code: str, name: str, bad: bytes, good: bytes | None = None) -> Case:
    return Case(code, {name: bad}, LABELS, None if good is None else {name: good})


def fifo(path: Path) -> None:
    os.mkfifo(path)


def link_out(path: Path) -> None:
    (path.parent.parent / "outside.txt").write_text("x")
    path.symlink_to("../outside.txt")


def gone(path: Path) -> None:
    path.unlink(missing_ok=True)


def bomb(path: Path) -> None:
    with gzip.open(path, "wb", compresslevel=9) as file:
        file.write(b'{"id": "first", "text": "x"}\n')
        for _ in range(70):
            file.write(bytes(2**20))


def parquet(twice: str = "", **columns: list[str]) -> bytes:
    """A file with these columns, one of them perhaps twice."""
    arrays = [pyarrow.array(each, pyarrow.string()) for each in columns.values()]
    names = [*columns, *([twice] if twice else [])]
    out = pyarrow.BufferOutputStream()
    pq.write_table(pyarrow.table([*arrays, *([arrays[0]] if twice else [])], names=names), out)
    return out.getvalue().to_pybytes()


def too_deep(n_fields: int) -> bytes:
    """A record with this many fields that cannot be kept."""
    deep = "[" * 40 + "]" * 40
    return f"""{{"id": "k", "text": "x", {", ".join(f'"f{n}": {deep}' for n in range(n_fields))}}}""".encode()


GOOD = b'{"id": "k", "text": "x"}\n'
NESTED = b'{"id": "n", "a": {"b": [{"c": "words in here"}]}}'

CASES = [
    # while the store has none of it
    Case("no label was set yet", {}, "label list", then="label set k0 x"),
    Case("no models yet", {}, "models list", then="train classify --collection inbox"),
    # tokens and tags
    add("NO_TAG", "a.conll", b"Kim B-PER\nleft\n", b"Kim B-PER\nleft O\n"),
    add("BAD_TAG", "a.conll", b"Kim PER\n", b"Kim B-PER\n"),
    add("TOKEN_NOT_IN_TEXT", "a.conll", b"## k\tKim\nX\tB-PS\n", b"## k\tKim\nK\tB-PS\n"),
    add("EMPTY_FILE", "a.conll", b"\n", b"Kim B-PER\n"),
    # encodings
    line("INVALID_ENCODING", b'{"id": "k", "text": "\xbe\xc8\xb3\xe7"}'),
    add("INVALID_ENCODING", "a.txt", "café au lait".encode("latin-1")),
    add("INVALID_ENCODING", "a.txt", KOREAN.encode("cp949"), words="--encoding utf-8"),
    add("INVALID_ENCODING", "a.txt", KOREAN.encode(), words="--encoding cp949"),
    add("INVALID_ENCODING", "a.txt", "좋다!!".encode(), words="--encoding cp949"),
    add("INVALID_ENCODING", "a.txt", KOREAN.encode()[:-2], KOREAN.encode()),
    add("INVALID_ENCODING", "a.txt", b"a\xffb\x81", b"ab"),
    add("INVALID_ENCODING", "a.csv", b"id,text\n1,\xff\x81\n", b"id,text\n1,x\n"),
    add("INVALID_ENCODING", "a.csv", b"id,text\n1,\xff\xff\n", words="--encoding cp949", good=b"id,text\n1,x\n"),
    add("INVALID_ENCODING", "a.txt", "abc abc".encode("utf-16-le"), words="--encoding cp949"),
    add("INVALID_ENCODING", "a.json", b'[{"id": 1, "text": "\xff"}]', b'[{"id": 1, "text": "x"}]'),
    Case("INVALID_ENCODING", {"l.csv": "key,label\nk0,é\n".encode("cp1252")}, LABELS),
    Case("INVALID_ENCODING", {"r.csv": "id,summary\nk0,é\n".encode("cp1252")}, REFERENCES),
    Case("INVALID_ENCODING", {"p.csv": "id,text,summary\nk0,a,é\n".encode("cp1252")}, PAIRS),
    Case("INVALID_ENCODING", {"l.csv": f"key,label\nk0,{KOREAN}\n".encode()}, f"{LABELS} --encoding cp949"),
    # tables
    add("BAD_HEADER", "a.csv", b"id,body\n1,x\n"),
    add("BAD_HEADER", "a.csv", b"id;body\n1;x\n2;y\n"),
    add("BAD_HEADER", "a.csv", b"id,text\n1,x\n", words="--key-field no"),
    add("BAD_HEADER", "a.csv", b"id,text\n1,x\n", words="--label-field no"),
    add("BAD_HEADER", "a.csv", b"id,text\n1,x\n", b"id,text,no\n1,x,y\n", words="--meta no"),
    add("BAD_HEADER", "a.csv", b"id,text,text\n1,x,y\n", b"id,text,more\n1,x,y\n"),
    add("BAD_HEADER", "a.csv", b'id,"text\n1,x\n', b"id,text\n1,x\n"),
    add("BAD_HEADER", "a.csv", b'""," ",\n1,x,y\n', b"id,text,more\n1,x,y\n"),
    labels("BAD_HEADER", "l.csv", b"key,tag\nk0,x\nk1,y\n"),
    labels("BAD_HEADER", "l.csv", b"doc,label\nk0,x\nk1,y\n"),
    Case("BAD_HEADER", {"r.tsv": b"id\tgist\nk0\tx\n"}, REFERENCES),
    Case("BAD_HEADER", {"r.txt": b"doc|summary\nk0|x\n"}, REFERENCES),
    Case("BAD_HEADER", {"p.csv": b"id,body,summary\nk0,a b,x\n"}, PAIRS),
    Case("BAD_HEADER", {"p.csv": b"id,text,title\nk0,a b,x\n"}, PAIRS),
    add("EMPTY_FILE", "a.csv", b"", b"id,text\n1,x\n"),
    add("EMPTY_FILE", "a.csv", b"id,text\n", b"id,text\n1,x\n"),
    add("RAGGED_ROW", "a.csv", b"id,text\n1,x,y\n2,x\n", b'id,text\n1,"x,y"\n2,x\n'),
    add("UNCLOSED_QUOTE", "a.csv", b'id,text\n1,x\n2,"x\n', b'id,text\n1,x\n2,"""x"\n'),
    add("BAD_QUOTE", "a.csv", b'id,text\n1,"a" b\n', b'id,text\n1,"""a"" b"\n'),
    add("BAD_LINE_END", "a.csv", b"id,text\n1,a\rb\n", b'id,text\n1,"a\rb"\n'),
    add("BROKEN_QUOTING", "a.csv", b"id,text\n" + b'k","\n' * 250, b"id,text\n1,x\n"),
    labels("EMPTY_LABEL", "l.csv", b"key,label\nk0,x\nk1,\n", b"key,label\nk0,x\nk1,[]\n"),
    labels("RAGGED_ROW", "l.csv", b"key,label\nk0,x\nk1\n", b"key,label\nk0,x\nk1,y\n"),
    labels("NO_DOCUMENT", "l.csv", b"key,label\nk0,x\nno,x\n", b"key,label\nk0,x\nk1,x\n"),
    # JSON
    add("EMPTY_FILE", "a.jsonl", b"", GOOD),
    add("EMPTY_FILE", "a.json", b"[]", GOOD),
    add("MISSING_TEXT", "a.jsonl", b'{"id": "k", "body": "x"}'),
    add("MISSING_TEXT", "a.json", NESTED),
    add("MISSING_KEY", "a.jsonl", b'{"doc": "k", "text": "x"}', words="--key-field no"),
    line("MISSING_TEXT", b'{"id": "k", "body": "x"}'),
    line("MISSING_KEY", b'{"text": "x"}'),
    labels("MISSING_TEXT", "l.jsonl", b'{"key": "k0", "tag": "x"}'),
    labels("MISSING_KEY", "l.jsonl", b'{"doc": "k0", "label": "x"}'),
    Case("MISSING_TEXT", {"r.json": b'[{"id": "k0", "gist": {"text": "x"}}]'}, REFERENCES),
    line("NOT_AN_OBJECT", b'["k", "x"]'),
    line("NOT_JSON", b'{"id": "k" "text": "x"}'),
    line("NOT_JSON", b'{"id": "k", "text": NaN}'),
    add("NOT_JSON", "a.jsonl", GOOD + b'{"id": "m", "te', GOOD),
    add("NOT_JSON", "a.json", b'[{"id": 1, "text": "x"}, {"id": 2, "text": "', b'[{"id": 1, "text": "x"}]'),
    add("NOT_JSON", "a.json", b'[\n{"id": 1 "text": "x"}]', b'[\n{"id": 1, "text": "x"}]'),
    add("BROKEN_JSON", "a.json", b'[\n{"id": "k", "text": [' * 150, b"[" + GOOD + b"]"),
    line("DUPLICATE_FIELD", b'{"id": "k", "text": "x", "text": "y"}'),
    line("NUMBER_TOO_LONG", b'{"id": "k", "text": "x", "n": %b}' % (b"9" * 5000)),
    line("NESTED_TOO_DEEP", b'{"id": "k", "text": %b' % (b"[" * 100_000)),
    line("NUL", b'{"id": "k", "text": "a\0b"}'),
    line("NUL", rb'{"id": "k", "text": "a\u0000b"}'),
    line("LONE_SURROGATE", rb'{"id": "k", "text": "\ud83d"}'),
    # what may be stored
    line("TEXT_TYPE", b'{"id": "k", "text": null}'),
    line("EMPTY_TEXT", b'{"id": "k", "text": " "}'),
    line("KEY_TYPE", b'{"id": 1.5, "text": "x"}'),
    line("EMPTY_KEY", b'{"id": "", "text": "x"}'),
    line("KEY_TOO_LONG", b'{"id": "%b", "text": "x"}' % (b"k" * 600)),
    line("KEY_CONTROL", rb'{"id": "a\nb", "text": "x"}'),
    line("DUPLICATE_KEY", b'{"id": "a", "text": "x"}'),
    line("LABEL_TYPE", b'{"id": "k", "text": "x", "label": {"a": 1}}'),
    line("LABEL_TYPE", b'{"id": "k", "text": "x", "label": "[\\"a\\""}', b'{"id": "k", "text": "x", "label": ["a"]}'),
    line("LABEL_TYPE", b'{"id": "k", "text": "x", "label": [""]}', b'{"id": "k", "text": "x", "label": []}'),
    line("LABEL_TOO_LONG", b'{"id": "k", "text": "x", "label": "%b"}' % (b"l" * 600)),
    line("LABEL_CONTROL", rb'{"id": "k", "text": "x", "label": "a\u0007"}'),
    line("TOO_MANY_LABELS", b'{"id": "k", "text": "x", "label": %b}' % json.dumps([*range(300)]).encode()),
    add("TEXT_TOO_LONG", "a.txt", b"word " * 2_100_000, b"word"),
    line("TEXT_TOO_LONG", b'{"id": "k", "text": "%b"}' % (b"word " * 2_100_000)),
    line("LINE_TOO_LONG", b'{"id": "k", "text": "%b"}' % (b"x" * 33_600_000)),
    add("LINE_TOO_LONG", "a.json", b'[{"id": 1, "text": "%b"}]' % (b"x" * 33_700_000), b'[{"id": 1, "text": "x"}]'),
    # files
    Case("NOT_FOUND", {}, "add a.txt --collection new", {"a.txt": b"x"}),
    Case("URL_NOT_ALLOWED", {}, "add https://example.org/a.txt --collection new", {"a.txt": b"x"}, then=ADD),
    Case("UNSUPPORTED_TYPE", {"a.png": b"\x89PNG\r\n"}, ADD, {"a.txt": b"x"}, then="add a.txt --collection new"),
    Case("UNSUPPORTED_TYPE", {"docs/a.png": b"\x89PNG\r\n", "docs/b.txt": b"x"}, ADD_DOCS, {"docs/a.png": gone}),
    Case("NOT_A_FILE", {"a.txt": fifo}, ADD, {"a.txt": b"x"}),
    Case("NOT_A_FILE", {"docs/a.txt": fifo, "docs/b.txt": b"x"}, ADD_DOCS, {"docs/a.txt": gone}),
    Case("LINK_LEAVES_FOLDER", {"docs/a.txt": link_out}, ADD_DOCS, then="add outside.txt --collection new"),
    Case("UNREADABLE", {}, f"add {'n' * 300}.txt --collection new", {"a.txt": b"x"}, then=ADD),
    add("WRONG_FORMAT", "a.txt", gzip.compress(b"x"), b"x"),
    add("BAD_GZIP", "a.txt.gz", b"plain", gzip.compress(b"plain")),
    Case("GZIP_BOMB", {"a.jsonl.gz": bomb}, ADD, {"a.jsonl": GOOD}, then="add a.jsonl --collection new"),
    Case("NO_MATCH", {"docs/a.txt": b"x"}, "add 'docs/*.pdf' --collection new", then="add 'docs/*.*' --collection new"),
    Case(
        "NO_MATCH", {"docs/a.txt": b"x"}, "add 'doc/*.txt' --collection new", then="add 'docs/*.txt' --collection new"
    ),
    Case("EMPTY_FILE", {}, "add - --collection new", {"a.txt": b"x"}, then=ADD, stdin=b""),
    Case("UNKNOWN_FORMAT", {}, "add - --collection new", stdin=b"just words"),
    Case("say what to add", {}, "add --collection new", {"a.txt": b"x"}, then=ADD),
    Case("--sql is instead of", {}, "add a.txt --sql x --database y --collection new", {"a.txt": b"x"}, then=ADD),
    Case("--sql and --database belong", {}, "add --sql x --collection new", {"a.txt": b"x"}, then=ADD),
    # Parquet
    add("EMPTY_FILE", "a.parquet", parquet(id=[], text=[]), parquet(id=["a"], text=["x"])),
    add("CORRUPT", "a.parquet", b"PAR1 and no more", parquet(id=["a"], text=["x"])),
    add("BAD_HEADER", "a.parquet", parquet(id=["a"], body=["x"]), values={"--text-field": "body"}),
    add("BAD_HEADER", "a.parquet", parquet("id", id=["a"], text=["x"]), parquet(id=["a"], text=["x"])),
    # markup
    add("EMPTY_TEXT", "a.txt", b"<p></p>"),
    add("was markup", "a.txt", b"<p>One.</p>", then=f"{ADD} --as text"),
    add("holds tags", "a.txt", b"Use the <br> tag.", then=f"{ADD} --as html"),
    add("being extracted", "a.txt", b"<SEC-DOCUMENT>x.txt : 20260101\n", b"x"),
    # notices
    add("may have 64 KB", "a.jsonl", b'{"id": "k", "text": "x", "y": "%s"}' % (b"y" * 70_000), then=f"{ADD} --meta id"),
    add("more times: choose fields", "a.jsonl", too_deep(120), words="--json", then=f"{ADD} --json --meta id"),
    add("looks like a table", "a.txt", b"id\tbody\n" + b"1\tx\n2\ty\n3\tz\n", then=f"{ADD} --text-field body"),
    # options, and what commands say without a file
    add("use one of them", "a.csv", b"id,text\n1,x\n", words="--meta a --no-meta", then=ADD),
    add("the delimiter must be", "a.csv", b"id;text\n1;x\n", words="--delimiter semi-colon"),
    add("cannot read the encoding", "a.csv", b"id,text\n1,x\n", words="--encoding klingon"),
    Case("more; --json lists them all", {"a.jsonl": b"{}\n" * 30}, ADD, then=f"{ADD} --json", stays_bad=True),
    Case("choose one with --collection", {}, "label set twice x", then="label set twice x --collection two"),
    Case("no key of", {"r.csv": b"id,doc,summary\nx,k0,gist\n"}, REFERENCES, values={"--key-field": "doc"}),
    Case("no reference in", {"r.csv": b"id,summary,gist\nk0,,it\n"}, REFERENCES, values={"--summary-field": "gist"}),
    Case(
        "--pairs is for training",
        {"p.csv": b"id,text,summary\nk0,a,b\n"},
        PAIRS.replace("summarizer", "classify"),
        then=PAIRS,
    ),
]  # fmt: skip

#: Refusals that only a race with the reader brings about: tests/readers/test_files.py has them.
RACES = {("streams.py", "NOT_A_FILE"), ("streams.py", "CHANGED_WHILE_READ")}
#: No command reaches these: without pyarrow (tests/readers/test_columns.py), and for a Path that is a URL.
ELSEWHERE = {("columns.py", "NOT_INSTALLED"), ("columns.py", "MEMORY"), ("files.py", "URL_NOT_FETCHED")}


@pytest.fixture
def prepared(shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shell:
    """Documents k0 to k3 with labels, a job of summaries over them, one key in two collections, a model `near`."""
    monkeypatch.chdir(tmp_path)
    shell.texts(*[f"A text. And more of it {n}." for n in range(4)], labels=list("abab"))
    shell.done("summarize", "--collection", "inbox")
    for name in ("one", "two"):
        Path("twice.jsonl").write_text('{"id": "twice", "text": "x"}')
        shell("add", "twice.jsonl", "--collection", name)
    return shell


def near(shell: Shell) -> None:
    """A model of a kind that has no page."""
    from db import model_versions
    from tests.db.builders import a_job

    job_id = a_job(shell.store, 1, kind="train-similarity", model_ref="near")
    with shell.store.write() as session:
        model_versions.register(session, job_id, "near/1", "ab" * 32, {})


def write(files: dict[str, bytes | Callable[[Path], object]]) -> None:
    for name, content in files.items():
        path = Path(name)
        path.parent.mkdir(exist_ok=True)
        if callable(content):
            content(path)
        else:
            path.unlink(missing_ok=True)
            path.write_bytes(content)


def run(shell: Shell, case: Case, command: str) -> Said:
    name = next(iter(case.files), "a.txt")
    return shell(*shlex.split(command.format(file=name, job=1)), status=None, stdin=case.stdin)


def bad(shell: Shell, case: Case) -> Said:
    """The bad input, and what is said of it."""
    if "near" in case.command:
        near(shell)
    write(case.files)
    said = run(shell, case, case.command)
    assert case.code in said.err + said.out, said
    return said


def advised(said: str, case: Case) -> str | None:
    """The command that the message advises, less its prose; None if it advises no option."""
    command = case.command
    for name in LEFT_OUT.findall(said):
        command = re.sub(rf" {name} \S+", "", command)
    options = dict(OPTION.findall(said)) | {
        name: case.values[name] for name in NAMED.findall(said) if name in case.values
    }
    for name, value in options.items():
        command = re.sub(rf" {name} \S+", "", command) + f" {name} {value}"
    return command if command != case.command else None


def test_what_a_message_advises_works(prepared: Shell) -> None:
    shell = prepared
    for case in CASES:
        said = bad(shell, case)
        told = said.err + said.out
        command = case.then or advised(told, case)
        assert command or case.fixed, f"nothing is advised, or it cannot be found: {told}"
        write(case.fixed or {})
        again = run(shell, case, command or case.command)
        if case.stays_bad:
            assert len(again.json["bad"]) == 30
        else:
            assert again.status == 0, (case.code, command, told, again)
            assert not REPORT.search(again.err), (case.code, command, told, again)
        for name in (*case.files, *(case.fixed or ())):
            Path(name).unlink(missing_ok=True)


def test_every_message_has_a_case(prepared: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    made: set[tuple[str, int]] = set()
    init = RefusedError.__init__

    def noted(self: RefusedError, code: str, detail: str) -> None:
        frame = sys._getframe(1)
        made.add((Path(frame.f_code.co_filename).name, frame.f_lineno))
        init(self, code, detail)

    monkeypatch.setattr(RefusedError, "__init__", noted)
    told = "no collections yet in sqlite:///x: docmill add PATHS --collection NAME"  # the last test's
    for case in CASES:
        said = bad(prepared, case)
        told += said.err + said.out
        for name in case.files:
            Path(name).unlink(missing_ok=True)
    missing = [
        f"{path}:{node.lineno}: {ast.unparse(node)}"
        for path, node in refusals()
        if not any(name == path.name and node.lineno <= at <= (node.end_lineno or 0) for name, at in made)
        and (path.name, code_of(node)) not in RACES | ELSEWHERE
    ]
    assert missing == [], "no case shows that what these refusals advise works"
    unsaid = [text for text, pattern in advice() if not pattern.search(told)]
    assert unsaid == [], "no case shows that what these messages advise works"


def rooms() -> Iterator[Path]:
    """The modules whose messages are about files."""
    # Records from Python come from no command.
    yield from (path for path in sorted((ROOT / "readers").glob("*.py")) if path.name != "mappings.py")
    yield from (ROOT / "scheduler" / name for name in ("adding.py", "labelling.py"))
    names = ("documents", "labelling", "evaluating", "models", "output", "submitting", "file_options")
    yield from (ROOT / "docmill" / "commands" / f"{name}.py" for name in names)


def refusals() -> Iterator[tuple[Path, ast.Call]]:
    """Every place that makes a RefusedError."""
    for path in rooms():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Name)
                and node.func.id == "RefusedError"
            ):
                yield path, node


def code_of(node: ast.Call) -> str:
    first = node.args[0]
    return first.value if isinstance(first, ast.Constant) and isinstance(first.value, str) else ""


def advice() -> Iterator[tuple[str, re.Pattern[str]]]:
    """Every text in the rooms that names an option or a command, and how it looks with its values."""
    for path in rooms():
        tree = ast.parse(path.read_text(encoding="utf-8"))
        passed_over = set(_help_and_docstrings(tree))
        for node in ast.walk(tree):
            if id(node) in passed_over:
                continue
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                text, pattern = node.value, re.escape(node.value)
            elif isinstance(node, ast.JoinedStr):
                parts = [str(part.value) if isinstance(part, ast.Constant) else None for part in node.values]
                text = "".join("{}" if part is None else part for part in parts)
                pattern = "".join(".*?" if part is None else re.escape(part) for part in parts)
            else:
                continue
            if re.search(r"--[a-z]|docmill [a-z]", text):
                yield f"{path.name}: {text}", re.compile(pattern, re.DOTALL)


def _help_and_docstrings(tree: ast.AST) -> Iterator[int]:
    for node in ast.walk(tree):
        name = getattr(getattr(node, "func", None), "attr", getattr(getattr(node, "func", None), "id", ""))
        if isinstance(node, ast.Call) and name in ("Option", "Argument", "Commands", "command"):
            yield from (id(each) for each in ast.walk(node))
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            yield id(node.value)
        elif isinstance(node, ast.JoinedStr):
            yield from (id(each) for each in node.values)


def test_a_store_without_a_collection_says_how_to_make_one(shell: Shell, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a.txt").write_text("x")
    said = shell("collections").out
    assert f"no collections yet in {shell.store.name}: docmill add PATHS --collection NAME" in said
    shell(*said.partition("docmill ")[2].replace("PATHS", "a.txt").split())
    assert "NAME" in shell("collections").out
