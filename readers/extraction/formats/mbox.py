"""MBOX: mails one after another, read in a stream; each is a member, named by its number."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import BinaryIO

from readers.extraction.context import Context
from readers.extraction.limits import Budget, too_large
from readers.extraction.records import ExtractionError, Member
from readers.extraction.source import Source
from readers.extraction.writer import Writer

_MAX_LINE_BYTES = 1024 * 1024
#: A quoted "From " line, as mboxrd writes it.
_QUOTED = re.compile(rb"^>(>*From )", re.MULTILINE)


def read(source: Source, out: Writer, context: Context) -> None:
    """Mails in the order of the file. One that fails leaves the others alone."""
    with source.open() as stream:
        for number, mail in enumerate(_mails(stream, context.budget), 1):
            name = f"{number}.eml"
            if mail is None:
                error = too_large("bytes in one mail", context.budget.limits.member_bytes)
                out.members.append(Member(name, error=error))
            else:
                out.members.append(context.member(Source(_QUOTED.sub(rb"\1", mail), name)))
    if not out.members:
        raise ExtractionError("EMPTY", "the mailbox holds no mails")


def _mails(stream: BinaryIO, budget: Budget) -> Iterator[bytes | None]:
    """Each mail; None for one that is too large."""
    collected: bytearray | None = None
    is_too_large = False
    after_blank = True
    while line := stream.readline(_MAX_LINE_BYTES):
        if line.startswith(b"From ") and after_blank:
            if collected is not None:
                yield None if is_too_large else bytes(collected)
            collected, is_too_large = bytearray(), False
        elif collected is not None and not is_too_large:
            collected += line
            is_too_large = len(collected) > budget.limits.member_bytes
        after_blank = line in (b"\n", b"\r\n")
    if collected is not None:
        yield None if is_too_large else bytes(collected)
