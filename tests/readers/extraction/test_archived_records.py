"""Records inside archives: each is a document, as if the file that holds them had been added by itself."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pyarrow
import pyarrow.feather
import pyarrow.parquet
import pytest

from nlp_tasks.extraction import ExtractParameters
from readers import ReadOptions, Record, read
from readers.extraction import Extraction, ExtractionError, Limits, extract
from readers.extraction.isolated import Parser
from readers.options import ENCODINGS
from tests.readers.extraction import builders

ROWS: list[dict[str, Any]] = [
    {"id": "a", "text": "The bank raised its rate.", "label": "economy", "pages": 3, "by": {"name": "Kim"}},
    {"id": "b", "text": "한국은행은 기준금리를 올렸다.", "label": None, "pages": 4, "by": {"name": "이"}},
    {"id": "c", "text": "Nobody <b>had</b> expected it.<br>Not at all.", "label": "economy", "pages": 5},
]


def _lines(rows: list[dict[str, Any]]) -> bytes:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()


def _table(mark: str = ",", encoding: str = "utf-8") -> bytes:
    rows = [
        ["id", "text", "label", "company"],
        *([r["id"], r["text"], r["label"] or "", "ACME"] for r in ROWS),
    ]
    return "".join(mark.join(row) + "\n" for row in rows).encode(encoding)


def _parquet(rows: list[dict[str, Any]]) -> bytes:
    stream = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), stream)
    return stream.getvalue()


def _arrow(rows: list[dict[str, Any]]) -> bytes:
    stream = io.BytesIO()
    pyarrow.feather.write_feather(pyarrow.Table.from_pylist(rows), stream)
    return stream.getvalue()


FILES = {
    "lines.jsonl": _lines(ROWS),
    "array.json": json.dumps(ROWS, indent=1).encode(),
    "no keys.ndjson": _lines([{"text": row["text"]} for row in ROWS]),
    "table.csv": _table(),
    "semicolons.csv": _table(";"),
    "korean.csv": _table(encoding="cp949"),
    "excel.csv": _table(encoding="utf-16"),
    "tabs.tsv": _table("\t"),
    "rows.parquet": _parquet(ROWS),
    "rows.feather": _arrow(ROWS),
    "odd name": _parquet(ROWS),
    "some bad.jsonl": _lines([*ROWS, {"id": "d"}, {"id": "a", "text": "Twice."}]) + b"{no json\n",
}


def _inside(found: Extraction, name: str) -> Extraction:
    """The member of this path, at any depth."""
    for step in name.split("!"):
        [found] = [each.extraction for each in found.members if each.name == step]  # type: ignore[misc]
        assert found is not None, name
    return found


@pytest.mark.parametrize("name", FILES)
def test_a_file_of_records_is_read_in_an_archive_as_by_itself(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(FILES[name])
    alone = list(read([path]))
    found = _inside(extract(builders.zipped({name: FILES[name]})), name)

    def seen(record: Record) -> tuple[Any, ...]:
        return record.key.removeprefix(name), record.text, record.label, record.meta

    assert list(map(seen, found.records)) == [seen(each) for each in alone if isinstance(each, Record)]
    assert len(found.records) == 3
    assert [each.code for each in found.warnings] == [e.code for e in alone if not isinstance(e, Record)]
    assert (found.text, found.figures.n_chars) == ("", sum(len(each.text) for each in found.records))


PACKED: dict[str, Callable[[str, bytes], tuple[str, bytes, str]]] = {
    "tar": lambda name, data: ("a.tar", builders.tarred({name: data}), name),
    "tgz": lambda name, data: ("a.tgz", builders.tarred({name: data}, "w:gz"), name),
    "gz": lambda name, data: (f"{name}.gz", gzip.compress(data), ""),
    "bz2": lambda name, data: (f"{name}.bz2", bz2.compress(data), ""),
    "xz": lambda name, data: (f"{name}.xz", lzma.compress(data), ""),
    "zip in zip": lambda name, data: (
        "a.zip", builders.zipped({"b.zip": builders.zipped({f"in/{name}": data})}), f"b.zip!in/{name}",
    ),
    "gz in zip": lambda name, data: ("a.zip", builders.zipped({f"{name}.gz": gzip.compress(data)}), f"{name}.gz"),
}  # fmt: skip


@pytest.mark.parametrize("packed", PACKED)
@pytest.mark.parametrize("name", ["lines.jsonl", "table.csv", "rows.parquet"])
def test_in_every_archive(packed: str, name: str) -> None:
    called, data, member = PACKED[packed](name, FILES[name])
    found = extract(data, name=called)
    inside = _inside(found, member) if member else found
    assert [record.text for record in inside.records][1] == ROWS[1]["text"]
    documents = dict(extract(data, name=called).documents(called))
    assert [key.partition("#")[2] for key in documents] == ["a", "b", "c"]


def test_fields_of_other_names() -> None:
    rows = [{"no": 7, "doc": {"body": "A body."}, "topic": "x", "text": ""}]
    options = ReadOptions(key_field="no", text_field="doc.body", label_field="topic")
    for name, data in (("a.jsonl", _lines(rows)), ("a.parquet", _parquet(rows))):
        [record] = _inside(extract(builders.zipped({name: data}), records=options), name).records
        assert (record.key, record.text, record.label) == ("7", "A body.", "x")
        assert "doc" not in (record.meta or {})
    [record] = Parser().extract(builders.zipped({name: data}), records=options).members[0].extraction.records  # type: ignore[union-attr]
    assert (record.key, record.text, record.label) == ("7", "A body.", "x")


NO_DOCUMENTS = {
    "lines.jsonl": (_lines([{"id": "a", "body": "A body of words."}] * 2), "NO_RECORDS", "--text-field body"),
    "settings.json": (b'{"debug": true}', "NO_RECORDS", 'the object has no field "text"'),
    "numbers.json": (b"[1, 2]", "NO_RECORDS", "a document must be an object"),
    "rows.parquet": (_parquet([{"id": "a", "body": "A body."}]), "NO_RECORDS", "--text-field"),
    "blank.jsonl": (_lines([{"id": "a", "text": " "}]), "EMPTY", "blank"),
    "header.csv": (b"id,text\n", "EMPTY", "no rows"),
    "cut.parquet": (FILES["rows.parquet"][:200], "CORRUPT", "no sound Parquet file"),
    "broken.jsonl": (b"{no json\n{nor this\n", "CORRUPT", "NOT_JSON"),
}


@pytest.mark.parametrize("name", NO_DOCUMENTS)
def test_a_file_without_any_record_is_an_error_that_says_what_to_do(name: str) -> None:
    data, code, words = NO_DOCUMENTS[name]
    [member] = extract(builders.zipped({name: data})).members
    assert member.error is not None
    assert member.error.code == code
    assert words in member.error.detail
    if "--" in words:
        assert "--extract-again" in member.error.detail


def test_a_table_without_texts_stays_a_text() -> None:
    [member] = extract(builders.zipped({"sales.csv": b"year,sales\n2024,1200\n2025,1500\n"})).members
    assert member.extraction is not None
    assert member.extraction.text == "year,sales\n2024,1200\n2025,1500"


def test_what_is_called_json_and_is_none_is_read_as_what_it_is() -> None:
    page = builders.pdf(builders.pdf_text("A page."))
    [member] = extract(builders.zipped({"a.json": page})).members
    assert member.extraction is not None
    assert member.extraction.text == "A page."


def test_limits_hold_for_records() -> None:
    many = _lines([{"id": str(n), "text": "x"} for n in range(200)])
    archive = builders.zipped({"many.jsonl": many, "few.jsonl": FILES["lines.jsonl"]})
    for limits in (Limits(records=50), Limits(chars=1200)):
        first, second = extract(archive, limits).members
        assert first.error is not None
        assert first.error.code == "TOO_LARGE"
        assert second.extraction is not None, "its neighbour is read"
    assert len(_inside(extract(archive, Limits(records=400)), "many.jsonl").records) == 200


def test_many_refused_records_are_counted() -> None:
    rows = [{"id": "a", "text": "x"}, *({"id": str(n)} for n in range(300))]
    found = _inside(extract(builders.zipped({"a.jsonl": _lines(rows)})), "a.jsonl")
    assert len(found.warnings) == 101
    assert found.warnings[-1].detail == "200 more records are no documents"


def test_a_table_in_parquet_that_grows_beyond_the_memory_is_an_error_of_its_own() -> None:
    """A dictionary of one text of 8 MB, 400 times: 3 GB from a file of some KB."""
    stream = io.BytesIO()
    texts = pyarrow.DictionaryArray.from_arrays([0] * 400, ["word " * 1_600_000])
    table = pyarrow.table({"id": [str(n) for n in range(400)], "text": texts})
    pyarrow.parquet.write_table(table, stream, compression="zstd", store_schema=False)
    archive = builders.zipped({"bomb.parquet": stream.getvalue(), "a.jsonl": FILES["lines.jsonl"]})
    assert len(archive) < 100_000
    parser = Parser(memory=400 * 1024 * 1024)
    bomb, sound = parser.extract(archive).members
    assert bomb.error is not None
    assert bomb.error.code in ("MEMORY", "TOO_LARGE")
    assert sound.extraction is not None
    assert len(sound.extraction.records) == 3


def test_columns_of_parquet_are_read_within_the_memory_of_a_parser() -> None:
    rows = [{"id": str(n), "text": f"Text number {n}. " * 20, "score": n / 7} for n in range(20_000)]
    [member] = (
        Parser(memory=300 * 1024 * 1024).extract(builders.zipped({"a.parquet": _parquet(rows)})).members
    )
    assert member.extraction is not None
    assert len(member.extraction.records) == 20_000


def test_a_parquet_file_by_itself_is_for_add() -> None:
    with pytest.raises(ExtractionError, match="`docmill add` it by itself"):
        extract(FILES["rows.parquet"])


def test_the_encodings_of_the_kind_are_those_of_the_readers() -> None:
    hints = get_type_hints(ExtractParameters, include_extras=False)
    assert set(get_args(hints["encoding"])) == {"", *ENCODINGS}
