"""The body of an HTTP answer that was kept as it was sent (RFC 9112): chunks and compression undone."""

from __future__ import annotations

import re
import zlib

from readers.extraction.limits import Budget, too_large
from readers.extraction.records import ExtractionError

_FIELD = re.compile(rb"^([A-Za-z-]+):[ \t]*(.*?)[ \t]*\r?$", re.MULTILINE)
_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,8})[^\r\n]*\r?\n")
_BLOCK_BYTES = 64 * 1024


def body(answer: bytes, budget: Budget) -> bytes:
    """What a browser would have shown. EMPTY for an answer without a body, CORRUPT for a cut one."""
    end = re.search(rb"\r?\n\r?\n", answer)
    if end is None:
        raise ExtractionError("CORRUPT", "the HTTP answer has no whole header")
    fields = {name.lower(): value for name, value in _FIELD.findall(answer[: end.start()])}
    content = answer[end.end() :]
    if b"chunked" in fields.get(b"transfer-encoding", b"").lower():
        content = _joined(content)
    encoding = fields.get(b"content-encoding", b"").strip().lower().decode("ascii", "replace")
    if encoding in ("gzip", "x-gzip", "deflate") and content:
        return _inflated(content, encoding, budget)
    if encoding not in ("", "identity", "gzip", "x-gzip", "deflate"):
        raise ExtractionError("UNSUPPORTED", f"the page was sent compressed as {encoding}")
    return content


def _joined(content: bytes) -> bytes:
    """Without the sizes of the chunks; as it is where they are gone already."""
    if not _CHUNK.match(content):
        return content
    collected = bytearray()
    at = 0
    while (found := _CHUNK.match(content, at)) and (size := int(found[1], 16)):
        if found.end() + size > len(content):
            raise ExtractionError("CORRUPT", "the HTTP answer is cut inside a chunk")
        collected += content[found.end() : found.end() + size]
        at = found.end() + size
        at += len(content[at : at + 2]) - len(content[at : at + 2].lstrip(b"\r\n"))
    return bytes(collected)


def _inflated(content: bytes, encoding: str, budget: Budget) -> bytes:
    is_raw = encoding == "deflate" and content[0] & 0x0F != 8
    inflater = zlib.decompressobj(-15 if is_raw else 47)
    collected = bytearray()
    waiting = content
    try:
        while waiting and not inflater.eof:
            block = inflater.decompress(waiting, _BLOCK_BYTES)
            waiting = inflater.unconsumed_tail
            collected += block
            budget.decompressed(len(block))
            budget.ratio(len(collected), len(content))
            if len(collected) > budget.limits.member_bytes:
                raise too_large("bytes in one part", budget.limits.member_bytes)
    except zlib.error as error:
        raise ExtractionError("CORRUPT", f"the HTTP answer's {encoding} is damaged: {error}") from error
    if not inflater.eof:
        raise ExtractionError("CORRUPT", f"the HTTP answer's {encoding} is cut")
    return bytes(collected)
