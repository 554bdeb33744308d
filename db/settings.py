"""Where the store lives. The only file of this package that reads the environment."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

#: The folder of everything embedded, if no other is named.
HOME = ".docmill"


class StoreSettings(BaseSettings):
    """Read from DOCMILL_* variables; every one is described in .env.example."""

    model_config = SettingsConfigDict(env_prefix="DOCMILL_", extra="ignore", hide_input_in_errors=True)

    #: The folder of everything that docmill keeps here: the SQLite store, the Redis socket, models, logs.
    home: Path = Path(HOME)
    #: Empty means SQLite inside `home`.
    database_url: str = Field(default="", repr=False)
    #: The time limit of a user's own query (`docmill sql`, `--labels-sql`).
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
    def other_stores(self) -> str:
        """What to do where there is no store: how one is made, and where others are."""
        where = "DOCMILL_DATABASE_URL names it" if self.database_url else _home_words(self.home)
        return (
            f" ({where}). `docmill add PATHS --collection NAME` makes one there; to use another, change to its "
            f"folder, or set DOCMILL_HOME or DOCMILL_DATABASE_URL{_nearby(self.home_path)}"
        )

    @property
    def models_path(self) -> Path:
        return (self.models_dir or self.home_path / "models").expanduser().absolute()


def _home_words(home: Path) -> str:
    return "DOCMILL_HOME is not set" if home == Path(HOME) else f"DOCMILL_HOME is {home}"


def _nearby(home: Path) -> str:
    """A store in a folder above, or the demo's."""
    above = (folder / HOME for folder in home.parent.parents)
    found = next((folder for folder in (home / "demo", *above) if (folder / "docmill.db").is_file()), None)
    return f" (there is a store in {found})" if found else ""
