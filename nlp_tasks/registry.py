"""Every kind of job that docmill brings. A new kind is one module and one entry here."""

from __future__ import annotations

from nlp_tasks.classification import CLASSIFY, TRAIN_CLASSIFY
from nlp_tasks.kind import Kind

KINDS: dict[str, Kind] = {kind.name: kind for kind in (CLASSIFY, TRAIN_CLASSIFY)}
