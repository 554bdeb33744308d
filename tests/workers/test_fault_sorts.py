"""Whose fault an error is: the document's, the device's, the infrastructure's."""

from __future__ import annotations

import errno
import sqlite3

import pytest
from sqlalchemy.exc import IntegrityError, OperationalError, ProgrammingError

from db.errors import FencedError, NotFoundError
from nlp_tasks.errors import DocumentError, ModelFileError
from workers.running import faults
from workers.running.lease import StopRequestedError

NOT_THEIRS = [
    ModelFileError("weights.safetensors is missing"),
    FencedError("lost"),
    NotFoundError("no model"),
    StopRequestedError(),
    OperationalError("SELECT", {}, sqlite3.OperationalError("database is locked")),
    IntegrityError("INSERT", {}, sqlite3.IntegrityError("UNIQUE")),
    ProgrammingError("SELECT", {}, Exception('prepared statement "_pg3_0" already exists')),
    OSError(errno.ENOSPC, "No space left on device"),
    OSError(errno.EIO, "Input/output error"),
    OSError(errno.EMFILE, "Too many open files"),
    RuntimeError("CUDA error: device-side assert triggered"),
    RuntimeError("CUDA error: an illegal memory access was encountered"),
]
THEIRS = [
    ValueError("bad"),
    RuntimeError("shape mismatch"),
    MemoryError(),
    RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB"),
    RuntimeError("CUDA error: out of memory"),
    RecursionError("maximum recursion depth exceeded"),
    OSError(errno.ENOENT, "No such file"),
    DocumentError("EMPTY_TEXT", "blank"),
]


@pytest.mark.parametrize("error", NOT_THEIRS, ids=repr)
def test_the_machines_faults_are_never_a_documents(error: Exception) -> None:
    assert faults.is_not_the_documents(error)


@pytest.mark.parametrize("error", THEIRS, ids=repr)
def test_a_documents_faults_are_its_own(error: Exception) -> None:
    assert not faults.is_not_the_documents(error)


def test_out_of_memory_is_not_sticky_and_a_broken_device_is() -> None:
    out, broken = RuntimeError("CUDA out of memory"), RuntimeError("CUDA error: device-side assert triggered")
    assert faults.is_out_of_memory(out)
    assert faults.is_out_of_memory(MemoryError())
    assert not faults.is_sticky(out)
    assert faults.is_sticky(broken)
    assert not faults.is_out_of_memory(broken)


def test_each_error_becomes_a_typed_one_and_long_messages_are_cut() -> None:
    own = DocumentError("EMPTY_TEXT", "blank")
    assert faults.as_document_error(own) is own
    assert faults.as_document_error(MemoryError()).code == "MEMORY"
    assert faults.as_document_error(RuntimeError("CUDA out of memory")).code == "MEMORY"
    unexpected = faults.as_document_error(KeyError("x" * 10_000))
    assert unexpected.code == "RUNNER_ERROR"
    assert unexpected.detail.startswith("KeyError: ")
    assert len(unexpected.detail) < 250
