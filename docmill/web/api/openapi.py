"""The OpenAPI 3.1 document, from the operations and their models."""

from __future__ import annotations

import re
from functools import cache
from http import HTTPStatus
from importlib.metadata import version
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from docmill.web.api import problems
from docmill.web.api.handling import TOKEN_HEADER
from docmill.web.api.idempotency import MAX_CHARS
from docmill.web.api.operation import JSON, PARQUET, Operation
from docmill.web.api.routes import PREFIX, operations

_REF = "#/components/schemas/{model}"
_TEXT = {"type": "string"}
#: Statuses of problems that every operation may have.
_ALWAYS = (400, 401, 403, 422, 429, 500, 503)
_WHY = {
    400: "The body is no JSON, or was cut off; or the request is no HTTP, or for another host (as plain text).",
    401: "No key, or one that is not valid.",
    403: "The key's role is too low; or a session without its token.",
    404: "There is no such thing.",
    408: "The body came too slowly.",
    409: "It contradicts what is stored, or there is nothing to do.",
    413: "The body is too large.",
    415: "The body has another media type.",
    422: "A field or parameter is wrong; `errors` names it.",
    429: "Too many requests; `Retry-After` says how long to wait.",
    500: "An error that nobody foresaw.",
    503: "The store does not answer, or the server is busy; `Retry-After` says how long to wait.",
}
_PROBLEM = {
    "type": "object",
    "description": "An error (RFC 9457).",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string", "description": f"`{problems.TYPE}` and a code to compare"},
        "title": _TEXT,
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "what is wrong, and what to do"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["detail"],
                "properties": {
                    "pointer": {"type": "string", "description": "the field of the body, as a JSON pointer"},
                    "parameter": {"type": "string", "description": "the query parameter"},
                    "detail": _TEXT,
                },
            },
        },
    },
}
_ABOUT = """\
Submit documents and jobs, and read what was found. Send a key with each request: `Authorization: Bearer docmill_...`;
`docmill keys create NAME --role read|submit|operate` makes one. Lists come in pages: `next` is the path of the next.
Every error is a problem (RFC 9457)."""


@cache
def document() -> dict[str, Any]:
    """The whole document."""
    schemas = _schemas()
    paths: dict[str, dict[str, Any]] = {}
    for one in operations():
        paths.setdefault(PREFIX + one.path, {})[one.method.lower()] = _operation(one)
    return {
        "openapi": "3.1.0",
        "info": {"title": "docmill", "version": version("docmill"), "description": _ABOUT},
        "security": [{"key": []}, {"session": []}],
        "paths": paths,
        "components": {
            "schemas": schemas | {"Problem": _PROBLEM},
            "securitySchemes": {
                "key": {"type": "http", "scheme": "bearer"},
                "session": {
                    "type": "apiKey",
                    "in": "cookie",
                    "name": "docmill_session_8484",
                    "description": "the number is the port of the server's address; "
                    f"of a browser; what changes something also needs the header {TOKEN_HEADER}",
                },
            },
        },
    }


@cache
def _keys_and_schemas() -> tuple[dict[Any, Any], dict[str, Any]]:
    models: list[tuple[type[BaseModel], Any]] = []
    for one in operations():
        models += [(one.body, "validation")] if one.body is not None else []
        models += [(one.answers, "serialization")] if one.answers is not None else []
    refs, whole = models_json_schema(list(dict.fromkeys(models)), ref_template=_REF)
    return dict(refs), dict(whole.get("$defs", {}))


def _schemas() -> dict[str, Any]:
    return _keys_and_schemas()[1]


def _ref(model: type[BaseModel], mode: str) -> dict[str, Any]:
    found: dict[str, Any] = _keys_and_schemas()[0][(model, mode)]
    return found


def _operation(one: Operation) -> dict[str, Any]:
    summary, rest = one.words
    found: dict[str, Any] = {
        "operationId": one.name,
        "tags": [one.tag],
        "summary": summary,
        "description": f"{rest}\n\nNeeds the role `{one.role}`.".strip(),
        "parameters": _parameters(one),
        "responses": {
            str(one.status): _answer(one),
            **{str(status): _problem(status) for status in _statuses(one)},
        },
    }
    if one.body is not None:
        content = {JSON: {"schema": _ref(one.body, "validation")}}
        found["requestBody"] = {"required": one.needs_body, "content": content}
    if one.body_media:
        content = {
            media: {"schema": {**_TEXT, "description": "one JSON object a line"}} for media in one.body_media
        }
        found["requestBody"] = {"required": True, "content": content}
    return found


def _parameters(one: Operation) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = [
        {"name": name, "in": "path", "required": True, "schema": _path_schema(name)}
        for name in re.findall(r"\{(\w+)\}", one.path)
    ]
    if one.query is not None:
        schema = one.query.model_json_schema(ref_template=_REF)
        for name, declared in schema.get("properties", {}).items():
            plain = {key: value for key, value in declared.items() if key not in ("title", "description")}
            if {"type": "null"} in plain.get("anyOf", []):
                [only] = [each for each in plain.pop("anyOf") if each != {"type": "null"}]
                plain = {key: value for key, value in plain.items() if key != "default"} | only
            about = {"description": declared["description"]} if "description" in declared else {}
            required = {"required": True} if name in schema.get("required", ()) else {}
            found.append({"name": name, "in": "query", **required, **about, "schema": plain})
    if one.takes_idempotency_key:
        words = "the same key and request again is carried out once, and answered alike; kept for a day"
        schema = {"type": "string", "minLength": 1, "maxLength": MAX_CHARS, "pattern": "^[ -~]+$"}
        found.append({"name": "Idempotency-Key", "in": "header", "description": words, "schema": schema})
    return found


def _path_schema(name: str) -> dict[str, Any]:
    return (
        {"type": "integer", "minimum": 1}
        if name.endswith("_id") and name != "model_id"
        else {"type": "string", "minLength": 1}
    )


def _answer(one: Operation) -> dict[str, Any]:
    content: dict[str, Any] = {}
    if one.answers is not None:
        content[JSON] = {"schema": _ref(one.answers, "serialization")}
    for media in one.media:
        plain = {} if media == JSON else {"type": "string"} if media != PARQUET else {}
        content.setdefault(media, {"schema": plain})
    return {"description": HTTPStatus(one.status).phrase, "content": content}


def _statuses(one: Operation) -> list[int]:
    of_body = (408, 413, 415) if one.body is not None else ()
    return sorted({*_ALWAYS, *one.problems, *of_body})


def _problem(status: int) -> dict[str, Any]:
    content: dict[str, Any] = {problems.MEDIA_TYPE: {"schema": {"$ref": _REF.format(model="Problem")}}}
    if status == 400:
        # The server refuses what is no HTTP before any operation sees it.
        content["text/plain"] = {"schema": _TEXT}
    return {"description": _WHY[status], "content": content}
