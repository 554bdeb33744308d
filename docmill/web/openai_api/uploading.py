"""A file from a multipart body to blocks in the store. A temporary file holds the body of a large one while it comes
in; then it is written in short transactions."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncGenerator
from typing import IO

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from db import api_files
from db.api_files import BLOCK_BYTES, UPLOAD_SECONDS
from db.store import Store
from db.tables import ApiFile
from docmill.web.openai_api.bodies import limited
from docmill.web.openai_api.errors import ApiError
from readers.records import shown

#: Of a file, and of what surrounds it in the body.
MOST_BYTES, _AROUND_BYTES = 200 * 1024 * 1024, 64 * 1024
#: Blocks of one transaction: 2 MB.
_BLOCKS = 8


async def form_of(request: Request) -> FormData:
    """The fields of a multipart body with one file at most."""
    if not request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
        raise ApiError(415, "send the file as multipart/form-data, with the fields file and purpose")

    async def stream() -> AsyncGenerator[bytes, None]:
        async for piece in limited(request, MOST_BYTES + _AROUND_BYTES):
            yield piece

    parser = MultiPartParser(request.headers, stream(), max_files=1, max_fields=20, max_part_size=16 * 1024)
    try:
        return await parser.parse()
    except (MultiPartException, KeyError) as error:
        raise ApiError(400, f"the body is no multipart form: {getattr(error, 'message', error)}") from None


async def stored(store: Store, upload: UploadFile, purpose: str, owner: str, seconds: int | None) -> ApiFile:
    """The uploaded file in the store."""
    return await run_in_threadpool(
        _stored, store, upload.file, upload.filename or "file", purpose, owner, seconds
    )


def _stored(
    store: Store, content: IO[bytes], filename: str, purpose: str, owner: str, seconds: int | None
) -> ApiFile:
    name = _storable(filename)
    if content.seek(0, 2) > MOST_BYTES:
        raise ApiError(
            413, f"a file has at most {MOST_BYTES:,} bytes: split it", param="file", code="too_large"
        )
    content.seek(0)
    with store.write() as session:
        made = api_files.begin(session, name, purpose, owner, seconds=UPLOAD_SECONDS)
        file_id, public_id = made.id, made.public_id
    digest, seq = hashlib.sha256(), 0
    while blocks := _next(content, seq):
        for _, data in blocks:
            digest.update(data)
        with store.write() as session:
            api_files.append(session, file_id, blocks)
        seq += len(blocks)
    with store.write() as session:
        api_files.complete(session, file_id, digest.hexdigest(), seconds)
    with store.read() as session:
        return api_files.find(session, public_id)


def _next(content: IO[bytes], seq: int) -> list[tuple[int, bytes]]:
    blocks = []
    for number in range(seq, seq + _BLOCKS):
        data = content.read(BLOCK_BYTES)
        if not data:
            break
        blocks.append((number, data))
    return blocks


def _storable(name: str) -> str:
    """A file name without directories and without characters that cannot be stored or printed."""
    return shown(name.replace("\\", "/").rpartition("/")[2], 200) or "file"
