"""The errors of docmill advise commands; who asks over HTTP gets the request that does the same."""

from __future__ import annotations

import re

#: A command as messages write it -> what to ask instead. The first that matches counts.
_INSTEAD = (
    (r"`docmill status` lists the jobs", "GET /v1/jobs lists the jobs"),
    (r"`docmill models (?:list|show [^`]*)` (?:show|list)s them", "GET /v1/models lists them"),
    (r"`docmill models list` shows the versions that are there", "GET /v1/models lists the versions that are there"),
    (r"`docmill collections` lists", "GET /v1/collections lists"),
    (r"`docmill add PATHS --collection ([^`]*)` makes it", "POST /v1/collections/NAME/documents makes it"),
    (r"add some with `docmill add`", "POST /v1/collections/NAME/documents adds some"),
    (r"`docmill label list` shows those that were", "GET /v1/labels lists those that were"),
    (r"`docmill documents list` shows the keys", "GET /v1/collections/NAME/documents lists the keys"),
    (r"`docmill train [^`]*` makes (it|one)", r"a job of the kind that trains it makes \1"),
    (r"make one with `docmill train [^`]*`", "submit a job of a kind that trains one"),
    (r"`docmill models promote [^`]* --force` promotes it", 'with "force": true it is promoted'),
    (r"`docmill schedule edit [^`]*` changes it, `docmill schedule remove [^`]*`", "DELETE /v1/schedules/NAME"),
    (r"see docmill models show \S+", "see GET /v1/models"),
    (r"choose (?:one )?with --(\w+)(?: NAME)?", r"choose one with the parameter \1"),
    (r"omit --(\w+)", r"omit \1"),
    (r"-p (\w+)=(\w+)", r'"parameters": {"\1": \2}'),
    (r"--(\w+)-field (\S+)", r"\1_field=\2"),
    (r"--(\w+)", r"\1"),
)  # fmt: skip


def in_http(detail: str) -> str:
    """The message with the advice of commands replaced."""
    if "--" not in detail and "docmill" not in detail and "-p " not in detail:
        return detail
    for pattern, instead in _INSTEAD:
        detail = re.sub(pattern, instead, detail)
    return detail
