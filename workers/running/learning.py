"""What a worker learns about batches, read from the store once and written back when there is news."""

from __future__ import annotations

import hashlib
import json
import logging

from sqlalchemy.exc import SQLAlchemyError

from db import batch_sizes
from db.batch_sizes import Learnt
from db.chunks import Claim
from db.database_errors import words
from workers.processes import linux
from workers.processes.process import Process
from workers.running.sizes import Sizes
from workers.settings import Settings

log = logging.getLogger("docmill.worker")


class Learning:
    """The sizes of one model on this worker's device."""

    def __init__(self, process: Process, model: str) -> None:
        self._process, self._model = process, model
        self._device = device_key(process.settings)
        self.sizes = Sizes(self._known(), grows=process.settings.device.startswith("cuda"))

    def remember(self) -> None:
        """Write what is new. If the store is away, this worker knows it all the same."""
        news = self.sizes.changes()
        if not news:
            return
        try:
            with self._process.store.write() as session:
                batch_sizes.remember(session, self._model, self._device, news)
        except SQLAlchemyError as error:
            log.warning("cannot store what was learnt about batches: %s", words(error))

    def _known(self) -> dict[int, Learnt]:
        try:
            with self._process.store.read() as session:
                return batch_sizes.known(session, self._model, self._device)
        except SQLAlchemyError as error:
            log.warning("cannot read what was learnt about batches: %s", words(error))
            return {}


def of(process: Process, claim: Claim, stage: str) -> Learning:
    """What this process knows about a claim's model."""
    model = _model_key(claim, stage)
    if model not in process.learning:
        process.learning[model] = Learning(process, model)
    found: Learning = process.learning[model]
    return found


def device_key(settings: Settings) -> str:
    """The sort of device: workers on such devices can take the same batches."""
    if settings.device.startswith("cuda"):
        share = "" if settings.device_share == 1 else f", 1/{round(1 / settings.device_share)} of it"
        return f"{settings.device_model or settings.device}{share}"
    gigabytes = max(1, round(linux.memory_bytes() * settings.device_share / 1e9))
    return f"cpu, {gigabytes} GB"


def _model_key(claim: Claim, stage: str) -> str:
    parameters = json.dumps(claim.parameters, sort_keys=True)
    digest = hashlib.sha256(parameters.encode()).hexdigest()[:8]
    model = claim.model_ref if claim.model_version_id is not None else None
    return " ".join(
        filter(None, (claim.kind, stage, model, f"v{claim.model_version_id}" if model else "", digest))
    )
