"""What to do about documents that failed: a sentence in each language, and a command."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

#: Error code -> (English, Korean, command). In a command, {job}, {key}, {path} and {collection} are filled in.
_KNOWN: Mapping[str, tuple[str, str, str]] = {
    "ENCRYPTED": ("Save it without a password, then add it.", "암호 없이 다시 저장한 뒤 추가하세요.", "add"),
    "SCANNED_NO_TEXT": ("Its pages are pictures: run OCR, then add the result.", "페이지가 그림입니다. OCR 후 추가하세요.", "add"),
    "GARBLED": ("Its text is unreadable: run OCR or export it anew, then add it.", "글자가 깨졌습니다. OCR하거나 다시 내보낸 뒤 추가하세요.", "add"),
    "CORRUPT": ("It is damaged: get it again, then add it.", "파일이 손상되었습니다. 다시 받아 추가하세요.", "add"),
    "TOO_LARGE": ("It is beyond a limit, which the detail names: raise it, or split the file.", "한도를 넘었습니다. 한도를 올리거나 파일을 나누세요.", "look"),
    "UNSUPPORTED": ("Its format is not read; the detail says which.", "지원하지 않는 형식입니다.", "look"),
    "NO_RECORDS": ("No row has the field of the text: name the field, as the detail says.", "본문 필드가 없습니다. 필드 이름을 지정하세요.", "look"),
    "FILE_MISSING": ("The file is gone: put it back, then add it.", "파일이 없습니다. 되돌린 뒤 추가하세요.", "add"),
    "FILE_CHANGED": ("The file has changed since it was added: add it again.", "추가한 뒤 파일이 바뀌었습니다. 다시 추가하세요.", "add"),
    "FILE_UNREADABLE": ("Fix its permissions, then add it.", "읽기 권한을 고친 뒤 추가하세요.", "add"),
    "EMPTY": ("It holds no text: nothing to do.", "글이 없는 파일입니다. 할 일이 없습니다.", "look"),
    "EMPTY_TEXT": ("It holds no text: nothing to do.", "글이 없는 문서입니다. 할 일이 없습니다.", "look"),
    "NO_KNOWN_WORDS": ("The model knows none of its words: train on documents like it.", "모델이 아는 낱말이 없습니다. 비슷한 문서로 학습하세요.", "look"),
    "NO_MODEL": ("The job that it waited for made no model: look at that job.", "기다리던 작업이 모델을 만들지 못했습니다.", "status"),
    "TRAINING_FAILED": ("These documents cannot make a model; the detail says why.", "이 문서들로는 모델을 만들 수 없습니다.", "look"),
    "MEMORY": ("It needs more memory than the worker has: a larger machine, then release it.", "메모리가 모자랍니다. 더 큰 기계에서 격리를 풀어 다시 실행하세요.", "release"),
    "TIMEOUT": ("It hung in four workers and is in quarantine: leave it out, or release it.", "작업자 네 개가 멈췄습니다. 빼거나 격리를 푸세요.", "release"),
    "POISON": ("Four workers died over it and it is in quarantine: leave it out, or release it.", "작업자 네 개가 죽었습니다. 빼거나 격리를 푸세요.", "release"),
    "CRASHED": ("Four workers died over a training: see what is wrong.", "학습 중 작업자 네 개가 죽었습니다.", "doctor"),
}  # fmt: skip
_OTHER = ("Read the details, then try again.", "내용을 확인한 뒤 다시 시도하세요.", "retry")

_COMMANDS = {
    "add": "docmill add {path} --collection {collection}",
    "look": "docmill results {job} --errors",
    "retry": "docmill retry {job}",
    "release": "docmill quarantine release {job} {key}",
    "status": "docmill status {job}",
    "doctor": "docmill doctor",
}


def remedy(failure: Mapping[str, Any], language: str) -> tuple[str, str]:
    """(what to do, the command) for a group of failures with one example."""
    english, korean, command = _KNOWN.get(str(failure["error_code"]), _OTHER)
    words = {
        "job": str(failure["job_id"]),
        "key": shlex.quote(str(failure["document_key"])),
        "path": shlex.quote(_path(str(failure["source"]))),
        "collection": shlex.quote(str(failure["collection"])),
    }
    return (korean if language == "ko" else english), _COMMANDS[command].format_map(words)


def _path(source: str) -> str:
    """The file of "file:line"."""
    path, separator, line = source.rpartition(":")
    return path if separator and line.isdecimal() else str(Path(source))
