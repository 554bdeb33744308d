"""The endpoints of kinds, for one small request that is answered at once. Many texts belong into a batch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from db import model_versions
from db.access import Role
from db.errors import ConflictError, NotFoundError
from db.model_versions import Version
from db.store import Store
from docmill.web.openai_api.bodies import json_body
from docmill.web.openai_api.errors import ApiError
from docmill.web.openai_api.guarding import Guarded, route
from docmill.web.openai_api.inference import Inference
from nlp_tasks.endpoint import Results
from nlp_tasks.kind import Kind
from readers.admission import Admission
from scheduler.batches import answers, endpoints
from scheduler.batches.inputs import AS_IT_IS, asked_of, text_of
from workers import kinds

#: Texts of one request, and their characters together.
MOST_TEXTS, MOST_CHARS = 256, 200_000


def routes() -> list[BaseRoute]:
    """A path for each kind that declares one."""
    return [_route(path, kind) for path, kind in sorted(endpoints.by_path().items())]


def _route(path: str, kind: Kind) -> Route:
    async def answer(request: Request) -> Response:
        body = await json_body(request)
        return JSONResponse(await run_in_threadpool(answered, request, kind, body))

    return route(path, {"POST": Guarded(answer, Role.SUBMIT)})


def answered(request: Request, kind: Kind, body: Mapping[str, Any]) -> dict[str, Any]:
    """The answer to a request."""
    assert kind.endpoint is not None
    if kind.over_files or len(kind.stages) != 1:
        raise ApiError(
            400, f"{kind.endpoint.path} is answered in batches only: POST /v1/batches", code="batch_only"
        )
    asked, parameters = asked_of(kind, body)
    admission = Admission(AS_IT_IS)
    texts = [text_of(admission, str(n), text, "request").text for n, text in enumerate(asked.inputs)]
    if len(texts) > MOST_TEXTS or sum(map(len, texts)) > MOST_CHARS:
        raise ApiError(
            413,
            f"a request that is answered at once has at most {MOST_TEXTS} texts with {MOST_CHARS:,} characters "
            "together: send a batch",
            param="input",
            code="too_large",
        )
    version = _version(request.app.state.store, kind, asked.model, parameters)
    found = _inference(request).run(
        {
            "kind": kind.name,
            "parameters": parameters,
            "model_version_id": None if version is None else version.id,
            "texts": texts,
        }
    )
    if "fault" in found:
        raise ApiError(500, f"{kind.name} failed: {found['fault']}")
    for number, error in enumerate(found["errors"]):
        if error is not None:
            told = answers.of_outcome(*error)
            which = f"input {number}: " if len(texts) > 1 else ""
            raise ApiError(told["status"], which + told["message"], param="input", code=told["code"])
    return kind.endpoint.answer(Results(found["rows"], None if version is None else version.ref, asked.form))


def _version(store: Store, kind: Kind, model: str | None, parameters: Mapping[str, Any]) -> Version | None:
    """The model version that a request needs."""
    read = kinds.parameters_of(kind, parameters, model)
    makers = kind.makers(read)
    if not makers or not kind.needs_model(read):
        if model is not None:
            raise ApiError(
                400, f"{kind.name} uses no model with these parameters: leave model out", param="model"
            )
        return None
    try:
        with store.read() as session:
            ref = model or model_versions.sole_model(session, *makers)
            return model_versions.resolve(session, ref, *makers)
    except (NotFoundError, ConflictError) as error:
        raise ApiError(404, str(error), param="model", code="model_not_found") from None


def _inference(request: Request) -> Inference:
    found: Inference = request.app.state.inference
    return found
