"""Errors of pydantic as faults: which field, what is wrong with it, what is allowed."""

from __future__ import annotations

import difflib
from typing import Any

from pydantic import BaseModel, ValidationError
from starlette.datastructures import QueryParams

from docmill.web.api.operation import Query
from docmill.web.api.problems import Fault


def faults_of(error: ValidationError, model: type[BaseModel], *, of_query: bool = False) -> list[Fault]:
    """A fault for each wrong field, at most 20."""
    found = []
    for each in error.errors(include_url=False, include_context=True)[:20]:
        where = "/".join(str(part).replace("~", "~0").replace("/", "~1") for part in each["loc"])
        found.append(Fault(where if of_query else f"/{where}" if where else "", _words(each, model)))
    return found


def _words(error: Any, model: type[BaseModel]) -> str:
    if error["type"] == "extra_forbidden":
        name, known = str(error["loc"][-1]), list(model.model_fields)
        near = difflib.get_close_matches(name, known, 1)
        hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(known) or 'none'}"
        return f"there is no such field: {hint}" if len(error["loc"]) == 1 else "there is no such field"
    if error["type"] == "missing":
        return "this is needed"
    message = str(error["msg"])
    return message.removeprefix("Value error, ").removeprefix("Invalid JSON: ")


def query_of(params: QueryParams, model: type[Query]) -> tuple[Query | None, list[Fault]]:
    """The query as the model has it, or its faults. A parameter that is no list may come once."""
    lists = {name for name, field in model.model_fields.items() if "list" in str(field.annotation)}
    given: dict[str, Any] = {}
    faults = []
    for name in dict.fromkeys(params):
        values = params.getlist(name)
        if any("\0" in value for value in (name, *values)):
            faults.append(Fault(name.replace("\0", ""), "it holds the character U+0000, which nothing has"))
        elif name in lists:
            given[name] = values
        elif len(values) > 1:
            faults.append(Fault(name, "it is given more than once"))
        else:
            given[name] = values[0]
    if faults:
        return None, faults
    try:
        return model.model_validate(given), []
    except ValidationError as error:
        return None, faults_of(error, model, of_query=True)
