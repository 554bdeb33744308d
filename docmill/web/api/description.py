"""The OpenAPI document, as the server tells it."""

from __future__ import annotations

from starlette.responses import JSONResponse, Response

from docmill.web.api.operation import JSON, Call, operation


@operation("GET", "/openapi.json", tag="description", media=(JSON,))
def get_openapi(call: Call) -> Response:
    """This document."""
    from docmill.web.api.openapi import document

    del call
    return JSONResponse(document())


OPERATIONS = (get_openapi,)
