"""Nights: plans, what applies them, and what tells whether work stands (epochs) and how long it takes."""

import sqlalchemy as sa
from alembic import op

from db.sql import UtcDateTime
from db.tables.base import BigId, Json

revision = "0036"
down_revision = "0035"
branch_labels = None
depends_on = None

_OPEN = "state NOT IN ('done', 'failed', 'carried over', 'cancelled')"


def upgrade() -> None:
    op.create_table(
        "night_plan",
        sa.Column("id", BigId, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("file", sa.Text(), nullable=False),
        sa.Column("folder", sa.Text(), nullable=False),
        sa.Column("file_digest", sa.Text(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("n_workers", BigId, nullable=False),
        sa.Column("seconds", sa.Double(), nullable=True),
        sa.Column("seconds_spread", sa.Double(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_night_plan")),
    )
    op.create_index(op.f("ix_night_plan_name"), "night_plan", ["name"], unique=False)
    op.create_table(
        "night",
        sa.Column("id", BigId, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("file", sa.Text(), nullable=False),
        sa.Column("folder", sa.Text(), nullable=False),
        sa.Column("plan_id", BigId, nullable=True),
        sa.Column("run_id", BigId, nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("finish_by", UtcDateTime(), nullable=True),
        sa.Column("finished_at", UtcDateTime(), nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("holder", sa.Text(), nullable=True),
        sa.Column("held_until", UtcDateTime(), nullable=True),
        sa.CheckConstraint(
            "state IN ('planning', 'running', 'stopping', 'done', 'failed', 'carried over', 'cancelled')",
            name=op.f("ck_night_state"),
        ),
        sa.ForeignKeyConstraint(["plan_id"], ["night_plan.id"], name=op.f("fk_night_plan_id")),
        sa.ForeignKeyConstraint(["run_id"], ["run.id"], name=op.f("fk_night_run_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_night")),
    )
    op.create_index(op.f("ix_night_run_id"), "night", ["run_id"], unique=False)
    op.create_index(
        "uq_night_open",
        "night",
        ["name"],
        unique=True,
        sqlite_where=sa.text(_OPEN),
        postgresql_where=sa.text(_OPEN),
    )
    op.create_table(
        "night_plan_part",
        sa.Column("plan_id", BigId, nullable=False),
        sa.Column("step", BigId, nullable=False),
        sa.Column("part", BigId, nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("last_job_id", BigId, nullable=True),
        sa.Column("n_documents", BigId, nullable=False),
        sa.Column("document_ids", Json, nullable=False),
        sa.Column("coming", Json, nullable=False),
        sa.ForeignKeyConstraint(["plan_id"], ["night_plan.id"], name=op.f("fk_night_plan_part_plan_id")),
        sa.PrimaryKeyConstraint("plan_id", "step", "part", name=op.f("pk_night_plan_part")),
    )
    op.create_table(
        "night_step",
        sa.Column("night_id", BigId, nullable=False),
        sa.Column("step", BigId, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("job_id", BigId, nullable=True),
        sa.Column("n_moved", BigId, nullable=True),
        sa.Column("n_carried_over", BigId, nullable=True),
        sa.Column("started_at", UtcDateTime(), nullable=True),
        sa.Column("finished_at", UtcDateTime(), nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "state IN ('waiting', 'running', 'done', 'skipped', 'failed', 'carried over', 'cancelled')",
            name=op.f("ck_night_step_state"),
        ),
        sa.ForeignKeyConstraint(["job_id"], ["job.id"], name=op.f("fk_night_step_job_id")),
        sa.ForeignKeyConstraint(["night_id"], ["night.id"], name=op.f("fk_night_step_night_id")),
        sa.PrimaryKeyConstraint("night_id", "step", name=op.f("pk_night_step")),
        sa.UniqueConstraint("night_id", "name", name=op.f("uq_night_step_night_id_name")),
    )
    op.create_index(op.f("ix_night_step_job_id"), "night_step", ["job_id"], unique=False)
    op.create_table(
        "night_plan_step",
        sa.Column("plan_id", BigId, nullable=False),
        sa.Column("step", BigId, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("parameters", Json, nullable=False),
        sa.Column("model_version_id", BigId, nullable=True),
        sa.Column("n_unchanged", BigId, nullable=False),
        sa.Column("n_failed", BigId, nullable=False),
        sa.Column("n_quarantined", BigId, nullable=False),
        sa.Column("n_elsewhere", BigId, nullable=False),
        sa.Column("n_to_do", BigId, nullable=False),
        sa.Column("n_if_promoted", BigId, nullable=False),
        sa.Column("chars", BigId, nullable=False),
        sa.Column("seconds", sa.Double(), nullable=True),
        sa.Column("seconds_spread", sa.Double(), nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["model_version_id"], ["model_version.id"], name=op.f("fk_night_plan_step_model_version_id")
        ),
        sa.ForeignKeyConstraint(["plan_id"], ["night_plan.id"], name=op.f("fk_night_plan_step_plan_id")),
        sa.PrimaryKeyConstraint("plan_id", "step", name=op.f("pk_night_plan_step")),
    )
    op.add_column("chunk", sa.Column("claimed_at", UtcDateTime(), nullable=True))
    op.add_column("job", sa.Column("epoch", BigId, server_default=sa.text("1"), nullable=False))
