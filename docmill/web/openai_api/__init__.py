"""The API of OpenAI for files, batches and embeddings, so that programs written for it work with docmill.

    errors      errors in OpenAI's shape
    guarding    who may do what; one function for each method of a path
    bodies      JSON bodies of limited size
    uploading   a file, from a multipart body to blocks in the store
    files       /v1/files
    batches     /v1/batches; what becomes of a batch is done by the scheduler (scheduler.batches)
    at_once     the endpoints of kinds, for a request that is answered at once
    inference   the process that answers these requests: the server itself loads no model

A path that a kind declares (nlp_tasks.endpoint) is served with nothing more to be written here.
"""

from __future__ import annotations

from starlette.routing import BaseRoute

from docmill.web.openai_api import at_once, batches, files


def routes() -> list[BaseRoute]:
    """Every path of this API."""
    return [*files.ROUTES, *batches.ROUTES, *at_once.routes()]
