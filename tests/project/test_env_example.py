""".env.example is the list of all settings: of docmill, of Flower's password, of the compose file."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from workers.settings import Settings

ROOT = Path(__file__).parents[2]
EXAMPLE = (ROOT / ".env.example").read_text()


def test_every_setting_stands_there_and_nothing_else() -> None:
    listed = re.findall(r"^(?:# )?(DOCMILL_\w+)=", EXAMPLE, re.M)
    fields = [f"DOCMILL_{name}".upper() for name in Settings.model_fields]

    assert sorted(listed) == sorted(fields)


def test_the_values_shown_are_the_defaults() -> None:
    shown = dict(re.findall(r"^# (DOCMILL_\w+)=(.*)$", EXAMPLE, re.M))
    numbers = {
        f"DOCMILL_{name}".upper(): field.default
        for name, field in Settings.model_fields.items()
        if isinstance(field.default, int | float)
    }

    assert {name: float(shown[name]) for name in numbers} == numbers


def test_every_variable_of_the_compose_file_stands_there() -> None:
    used = set(re.findall(r"(?<!\$)\$\{(\w+)", (ROOT / "docker-compose.yml").read_text()))
    listed = set(re.findall(r"^(?:# )?([A-Z]\w+)=", EXAMPLE, re.M))

    assert used <= listed


def test_every_password_made_is_new_and_fits_a_url() -> None:
    made = [
        subprocess.run(
            [sys.executable, ROOT / "deploy" / "passwords"],
            input=EXAMPLE, capture_output=True, text=True, check=True,
        ).stdout
        for _ in range(2)
    ]  # fmt: skip
    first, second = (re.findall(r"^\w+_PASSWORD=(.*)$", text, re.M) for text in made)

    assert len(first) == EXAMPLE.count("_PASSWORD=") - EXAMPLE.count("# DOCMILL_REDIS_PASSWORD=")
    assert all(re.fullmatch(r"[\w-]{32,}", password) for password in first + second)
    assert len(set(first + second)) == 2 * len(first)
