"""Where the store lives. The only file of this package that reads the environment."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class StoreSettings(BaseSettings):
    """Read from DOCMILL_* variables; every one is described in .env.example."""

    model_config = SettingsConfigDict(env_prefix="DOCMILL_", extra="ignore", hide_input_in_errors=True)

    #: Folder of everything embedded: the SQLite store, the Redis socket, models, logs.
    home: Path = Path(".docmill")
    #: Empty means SQLite inside `home`.
    database_url: str = Field(default="", repr=False)
    #: A user's own query (`docmill sql`, `--labels-sql`) is ended after so long.
    query_seconds: float = Field(default=60, gt=0)
    #: Folder of model versions; shared by all workers. Empty means `home`/models.
    models_dir: Path | None = None

    @cached_property
    def home_path(self) -> Path:
        return self.home.expanduser().absolute()

    @property
    def url(self) -> str:
        return self.database_url or f"sqlite:///{self.home_path}/docmill.db"

    @property
    def models_path(self) -> Path:
        return (self.models_dir or self.home_path / "models").expanduser().absolute()
