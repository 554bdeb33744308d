"""A newer docmill: the tree as it is now, with one more migration, which older code can bear or not."""

from __future__ import annotations

import shutil
from pathlib import Path

from db.store import SCHEMA

ROOT = Path(__file__).parents[1]
#: The schema of the newer docmill.
NEWER = "9000"
#: In its migration: older code may go on.
BORNE = "OLDER_CODE_MAY_GO_ON = True\n"

_PACKAGES = ("db", "readers", "nlp_tasks", "workers", "scheduler", "docmill", "tests")
_MIGRATION = '''"""A table more."""

import sqlalchemy as sa
from alembic import op

revision = "{revision}"
down_revision = "{before}"
branch_labels = None
depends_on = None
{flag}

def upgrade() -> None:
    op.create_table("novelty", sa.Column("id", sa.BigInteger(), nullable=False), sa.PrimaryKeyConstraint("id"))
'''


def newer_docmill(folder: Path, flag: str) -> Path:
    """The newer tree, in this folder. `flag` is BORNE, or empty if older code must stop."""
    for package in _PACKAGES:
        shutil.copytree(ROOT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__"))
    path = folder / "db" / "migrations" / "versions" / f"2099_01_01_{NEWER}_a_novelty.py"
    path.write_text(_MIGRATION.format(revision=NEWER, before=SCHEMA, flag=flag), encoding="utf-8")
    return folder


def environment_of(tree: Path) -> dict[str, str]:
    """What makes Python take docmill from this tree."""
    return {"PYTHONPATH": str(tree), "PYTHONSAFEPATH": "1"}
