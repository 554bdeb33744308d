"""The step `digest`, and [report]: the digest of the night as files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from docmill.pages.night import write
from scheduler.nights import actions
from scheduler.nights.actions import Action, Setting
from scheduler.nights.definition import ReportTable
from scheduler.nights.steps import DIGEST


def digest(setting: Setting) -> str:
    """Write the files of a step: each whole or not at all, and again if the scheduler dies in the middle."""
    keys = ReportTable.model_validate(setting.keys)
    if setting.run_id is None:
        raise ValueError("the night has no run, so there is nothing to write a digest of")
    paths = [write(setting.store, str(setting.path(to)), setting.run_id, keys.language) for to in keys.to]
    return f"wrote {', '.join(map(str, paths))}"


def _note(keys: Mapping[str, Any]) -> str:
    return f"writes {', '.join(ReportTable.model_validate(keys).to)}"


actions.register(
    Action(DIGEST, "write the digest of the night", digest, keys=ReportTable, note=_note, tells=True)
)
