"""The settings of workers and schedulers. The only file of this package that reads the environment; every variable is
described in .env.example."""

from __future__ import annotations

import difflib
import hashlib
import os
import secrets
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator
from pydantic_settings import SettingsConfigDict

from db.settings import StoreSettings
from nlp_tasks.model_servers import ModelServers
from readers.remote.policy import Policy
from workers import redis_address
from workers.redis_address import RedisAddress

#: Linux allows 107 bytes for the path of a unix socket.
MAX_SOCKET_PATH = 100
#: Where the tests and benchmarks find their data: nothing that docmill itself reads.
NOT_SETTINGS = {"DOCMILL_SHARED_DATA"}


class Settings(StoreSettings):
    """Read from DOCMILL_* variables."""

    model_config = SettingsConfigDict(env_prefix="DOCMILL_", extra="ignore", hide_input_in_errors=True)

    #: Empty means the embedded Redis of `docmill up`.
    redis_url: str = Field(default="", repr=False)
    #: A worker that uses no CPU time for this long, or this much of it without a heartbeat, is taken for dead or hung.
    lease_seconds: float = Field(default=60, gt=0)
    #: How long a model may take to load.
    load_seconds: float = Field(default=600, gt=0)
    #: How long a worker that is told to stop may take to end its batch.
    grace_seconds: float = Field(default=30, gt=0)
    #: At most this many messages of each kind and priority are in Redis.
    window: int = Field(default=64, gt=0)
    #: How often the scheduler looks for lost leases and due schedules (at least once a second).
    tick_seconds: float = Field(default=2, gt=0)
    #: A chunk that was not claimed this long after its message is sent again.
    resend_seconds: float = Field(default=10, gt=0)
    #: Modules, separated by commas, whose KINDS are kinds of jobs beside docmill's own.
    kind_modules: str = ""
    #: Which URLs may be read: none, "1", or those listed.
    remote_files: str = ""
    #: Addresses of servers, beside those on this machine, that kinds may send texts to, and the key for them.
    model_servers: str = ""
    model_server_key: str = Field(default="", repr=False)
    #: Memory for models and what belongs to them, in megabytes a worker; 0 for half of what the worker may use.
    model_memory_mb: int = Field(default=0, ge=0)
    #: In what numbers models compute: auto, float32, bfloat16 or float16.
    precision: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    #: What computes neural models on a CPU: torch, or ONNX Runtime (the extra `onnx`). GPUs always use torch.
    runtime: Literal["torch", "onnx"] = "torch"
    #: How long a device that failed rests before it is tried again; doubled at each failure, up to 16 times this.
    device_rest_seconds: float = Field(default=60, gt=0)
    #: Workers and schedulers serve /metrics at this port; 0: they do not. And the address to listen on.
    metrics_port: int = Field(default=0, ge=0, le=65_535)
    metrics_host: str = "127.0.0.1"
    #: The server that `docmill.Client()` uses instead of the store, and the key that it sends there. Commands use the
    #: store.
    server_url: str = ""
    server_key: str = Field(default="", repr=False)
    #: Of the REST interface: requests a minute for each key (0: any number), megabytes of a stream of documents and
    #: of one of its lines, and how long a client may send nothing.
    api_requests_per_minute: int = Field(default=6_000, ge=0)
    api_body_mb: int = Field(default=1_024, gt=0)
    api_line_mb: int = Field(default=32, gt=0)
    api_idle_seconds: float = Field(default=30, gt=0)
    #: Workers write event files of trainings into this folder, for TensorBoard; empty: they do not.
    tensorboard_dir: str = ""
    #: How log lines are written: "text" for people, or "json", an object a line.
    log_format: Literal["text", "json"] = "text"
    #: Set by the launcher for each worker: "cpu", or "cuda:0".
    device: str = "cpu"
    #: Set by the launcher: what device that is, "NVIDIA H100 80GB HBM3", and the worker's share of its memory.
    device_model: str = ""
    device_share: float = Field(default=1.0, gt=0, le=1)
    #: Set by the launcher: the worker's name, for people.
    worker: str = ""
    #: Set by the launcher: which start of which worker this is. Claims name it.
    instance: str = Field(default_factory=lambda: secrets.token_hex(8))

    @field_validator("redis_url")
    @classmethod
    def _is_a_redis_url(cls, url: str) -> str:
        if url:
            redis_address.parse(url)
        return url

    @field_validator("remote_files")
    @classmethod
    def _is_a_policy(cls, setting: str) -> str:
        Policy.of(setting)
        return setting

    @field_validator("model_servers")
    @classmethod
    def _are_addresses(cls, setting: str) -> str:
        ModelServers.of(setting)
        return setting

    @property
    def servers(self) -> ModelServers:
        """Which model servers workers may send texts to."""
        return ModelServers.of(self.model_servers, self.model_server_key)

    @property
    def remote(self) -> Policy:
        """The same, as the readers of URLs want it."""
        return Policy.of(self.remote_files)

    @property
    def graphs(self) -> Path | None:
        """Where this machine keeps graphs for ONNX Runtime; None if torch computes."""
        return self.home_path / "graphs" if self.runtime == "onnx" and self.device == "cpu" else None

    @property
    def redis(self) -> RedisAddress:
        """Which Redis, and how to reach it."""
        return redis_address.parse(self.redis_url or f"unix://{self.embedded_socket}")

    @property
    def broker_url(self) -> str:
        """The URL as Celery writes it."""
        return self.redis.broker_url

    @property
    def redis_name(self) -> str:
        """The URL without user and password, for people."""
        return self.redis.name

    @property
    def embedded_socket(self) -> Path:
        """The embedded Redis listens here, in a folder that only its owner may enter."""
        path = self.home_path / "redis" / "redis.sock"
        if len(os.fsencode(path)) <= MAX_SOCKET_PATH:
            return path
        digest = hashlib.sha256(os.fsencode(path)).hexdigest()[:12]
        return Path(tempfile.gettempdir()) / f"docmill-{os.getuid()}-{digest}" / "redis.sock"

    @property
    def worker_name(self) -> str:
        return self.worker or f"{self.device}@{os.uname().nodename}-{os.getpid()}"


def unknown_names(environment: Iterable[str]) -> dict[str, str | None]:
    """DOCMILL_* names that are no setting, each with the setting that is named most like it."""
    known = {f"DOCMILL_{name}".upper() for name in Settings.model_fields} | NOT_SETTINGS
    names = [
        name for name in environment if name.upper().startswith("DOCMILL_") and name.upper() not in known
    ]
    close = {name: difflib.get_close_matches(name.upper(), sorted(known), n=1, cutoff=0.7) for name in names}
    return {name: found[0] if found else None for name, found in close.items()}


@dataclass(frozen=True, slots=True)
class Traces:
    """What OpenTelemetry's own variables say of traces."""

    #: "otlp", "console", or None: no traces.
    exporter: str | None
    #: Whether they name the service.
    names_service: bool


def traces() -> Traces:
    """Traces are on where a variable says where to send them. ValueError for an exporter that docmill does not have."""
    exporter = os.environ.get("OTEL_TRACES_EXPORTER", "").strip()
    endpoints = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
    if not exporter and any(os.environ.get(name) for name in endpoints):
        exporter = "otlp"
    if exporter not in ("", "none", "otlp", "console"):
        raise ValueError(f"OTEL_TRACES_EXPORTER={exporter}: docmill has otlp, console and none")
    is_off = os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true" or exporter in ("", "none")
    names = "OTEL_SERVICE_NAME" in os.environ or "service.name=" in os.environ.get(
        "OTEL_RESOURCE_ATTRIBUTES", ""
    )
    return Traces(None if is_off else exporter, names)


@cache
def settings() -> Settings:
    """This process's settings, read once."""
    return Settings()
