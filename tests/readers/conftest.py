"""Reads what a test writes: the good documents, and every report and notice as the line that a user sees."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from readers import BadRecord, ReadOptions, Record, read


@dataclass(frozen=True)
class Outcome:
    records: list[Record]
    bad: list[BadRecord]
    notices: list[str]

    @property
    def keys(self) -> list[str]:
        return [record.key for record in self.records]

    @property
    def texts(self) -> dict[str, str]:
        return {record.key: record.text for record in self.records}

    @property
    def reports(self) -> list[str]:
        return [str(bad) for bad in self.bad]


Reading = Callable[..., Outcome]


@pytest.fixture
def reading(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Reading:
    """reading("a.jsonl", b"...", encoding="cp949") writes the file and reads it; without bytes it reads only."""
    monkeypatch.chdir(tmp_path)

    def read_it(name: str, data: bytes | None = None, **options: Any) -> Outcome:
        if data is not None:
            Path(name).write_bytes(data)
        notices: list[str] = []
        found = list(read([Path(name)], ReadOptions(**options), lambda notice: notices.append(str(notice))))
        return Outcome(
            [item for item in found if isinstance(item, Record)],
            [item for item in found if isinstance(item, BadRecord)],
            notices,
        )

    return read_it
