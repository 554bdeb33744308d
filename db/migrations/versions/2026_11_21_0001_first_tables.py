"""The first tables."""

import sqlalchemy as sa
from alembic import op

from db.sql import UtcDateTime
from db.tables.base import BigId, Json

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    is_postgres = op.get_bind().dialect.name == "postgresql"
    op.create_table(
        "collection",
        sa.Column("id", BigId, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_collection")),
        sa.UniqueConstraint("name", name=op.f("uq_collection_name")),
    )
    op.create_table(
        "model",
        sa.Column("id", BigId, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_model")),
        sa.UniqueConstraint("name", name=op.f("uq_model_name")),
    )
    op.create_table(
        "schedule",
        sa.Column("id", BigId, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("cron", sa.Text(), nullable=False),
        sa.Column("time_zone", sa.Text(), nullable=False),
        sa.Column("requests", Json, nullable=False),
        sa.Column("next_at", UtcDateTime(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("removed_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_schedule")),
        sa.UniqueConstraint("name", name=op.f("uq_schedule_name")),
    )
    op.create_table(
        "document",
        sa.Column("id", BigId, nullable=False),
        sa.Column("collection_id", BigId, nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("version", BigId, nullable=False),
        sa.Column("is_latest", sa.Boolean(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("content_hash", sa.LargeBinary(), nullable=False),
        sa.Column("body_chars", BigId, nullable=False),
        sa.Column("label", sa.Text(), nullable=True),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("added_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["collection_id"], ["collection.id"], name=op.f("fk_document_collection_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_document")),
        sa.UniqueConstraint(
            "collection_id", "key", "version", name=op.f("uq_document_collection_id_key_version")
        ),
    )
    op.create_index(
        "uq_document_latest",
        "document",
        ["collection_id", "key"],
        unique=True,
        sqlite_where=sa.text("is_latest"),
        postgresql_where=sa.text("is_latest"),
    )
    op.create_table(
        "run",
        sa.Column("id", BigId, nullable=False),
        sa.Column("schedule_id", BigId, nullable=False),
        sa.Column("due_at", UtcDateTime(), nullable=False),
        sa.Column("fired_at", UtcDateTime(), nullable=False),
        sa.Column("fault", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["schedule_id"], ["schedule.id"], name=op.f("fk_run_schedule_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_run")),
        sa.UniqueConstraint("schedule_id", "due_at", name=op.f("uq_run_schedule_id_due_at")),
    )
    op.create_table(
        "job",
        sa.Column("id", BigId, nullable=False),
        sa.Column("key", sa.Text(), nullable=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("parameters", Json, nullable=False),
        sa.Column("collection_id", BigId, nullable=False),
        sa.Column("model_ref", sa.Text(), nullable=True),
        sa.Column("model_version_id", BigId, nullable=True),
        sa.Column("priority", BigId, nullable=False),
        sa.Column("after_job_id", BigId, nullable=True),
        sa.Column("run_id", BigId, nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("n_documents", BigId, nullable=False),
        sa.Column("n_ok", BigId, nullable=True),
        sa.Column("n_error", BigId, nullable=True),
        sa.Column("stop_code", sa.Text(), nullable=True),
        sa.Column("stop_detail", sa.Text(), nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("started_at", UtcDateTime(), nullable=True),
        sa.Column("finished_at", UtcDateTime(), nullable=True),
        sa.CheckConstraint(
            "state IN ('waiting', 'running', 'paused', 'cancelling', 'finished', 'cancelled')",
            name=op.f("ck_job_state"),
        ),
        sa.CheckConstraint(
            "state NOT IN ('finished', 'cancelled') OR n_ok + n_error = n_documents",
            name=op.f("ck_job_every_document_counted"),
        ),
        sa.CheckConstraint("priority BETWEEN 0 AND 9", name=op.f("ck_job_priority")),
        sa.ForeignKeyConstraint(["after_job_id"], ["job.id"], name=op.f("fk_job_after_job_id")),
        sa.ForeignKeyConstraint(["collection_id"], ["collection.id"], name=op.f("fk_job_collection_id")),
        *(
            []
            if is_postgres
            else [
                sa.ForeignKeyConstraint(
                    ["model_version_id"], ["model_version.id"], name=op.f("fk_job_model_version_id")
                )
            ]
        ),
        sa.ForeignKeyConstraint(["run_id"], ["run.id"], name=op.f("fk_job_run_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_job")),
        sa.UniqueConstraint("key", name=op.f("uq_job_key")),
    )
    op.create_index(
        "ix_job_open",
        "job",
        ["state"],
        unique=False,
        sqlite_where=sa.text("state NOT IN ('finished', 'cancelled')"),
        postgresql_where=sa.text("state NOT IN ('finished', 'cancelled')"),
    )
    op.create_table(
        "chunk",
        sa.Column("id", BigId, nullable=False),
        sa.Column("job_id", BigId, nullable=False),
        sa.Column("stage", BigId, nullable=False),
        sa.Column("seq", BigId, nullable=False),
        sa.Column("queue", sa.Text(), nullable=False),
        sa.Column("priority", BigId, nullable=False),
        sa.Column("n_documents", BigId, nullable=False),
        sa.Column("n_ok", BigId, nullable=False),
        sa.Column("n_error", BigId, nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("fence", BigId, nullable=False),
        sa.Column("lease_until", UtcDateTime(), nullable=True),
        sa.Column("worker", sa.Text(), nullable=True),
        sa.Column("sent_at", UtcDateTime(), nullable=True),
        sa.Column("not_before", UtcDateTime(), nullable=True),
        sa.Column("n_put_back", BigId, nullable=False),
        sa.Column("fault", sa.Text(), nullable=True),
        sa.Column("n_crashes", BigId, nullable=False),
        sa.Column("suspect_id", BigId, nullable=True),
        sa.Column("n_suspect_crashes", BigId, nullable=False),
        sa.Column("closed_at", UtcDateTime(), nullable=True),
        sa.Column("document_ids", Json, nullable=False),
        sa.CheckConstraint(
            "(state = 'leased') = (lease_until IS NOT NULL)", name=op.f("ck_chunk_leased_until")
        ),
        sa.CheckConstraint("state IN ('blocked', 'ready', 'leased', 'closed')", name=op.f("ck_chunk_state")),
        sa.ForeignKeyConstraint(["job_id"], ["job.id"], name=op.f("fk_chunk_job_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_chunk")),
        sa.UniqueConstraint("job_id", "stage", "seq", name=op.f("uq_chunk_job_id_stage_seq")),
    )
    op.create_index(
        "ix_chunk_leased",
        "chunk",
        ["lease_until"],
        unique=False,
        sqlite_where=sa.text("state = 'leased'"),
        postgresql_where=sa.text("state = 'leased'"),
    )
    op.create_index(
        "ix_chunk_open",
        "chunk",
        ["job_id", "stage"],
        unique=False,
        sqlite_where=sa.text("state <> 'closed'"),
        postgresql_where=sa.text("state <> 'closed'"),
    )
    op.create_index(
        "ix_chunk_ready",
        "chunk",
        ["queue", "priority", "id"],
        unique=False,
        sqlite_where=sa.text("state = 'ready'"),
        postgresql_where=sa.text("state = 'ready'"),
    )
    op.create_table(
        "classification",
        sa.Column("job_id", BigId, nullable=False),
        sa.Column("document_id", BigId, nullable=False),
        sa.Column("rank", BigId, nullable=False),
        sa.Column("label", sa.Text(), nullable=True),
        sa.Column("score", sa.Double(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["document_id"], ["document.id"], name=op.f("fk_classification_document_id")),
        sa.ForeignKeyConstraint(["job_id"], ["job.id"], name=op.f("fk_classification_job_id")),
        sa.PrimaryKeyConstraint("job_id", "document_id", "rank", name=op.f("pk_classification")),
    )
    op.create_index(op.f("ix_classification_document_id"), "classification", ["document_id"], unique=False)
    op.create_table(
        "model_version",
        sa.Column("id", BigId, nullable=False),
        sa.Column("model_id", BigId, nullable=False),
        sa.Column("version", BigId, nullable=False),
        sa.Column("job_id", BigId, nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("manifest_sha256", sa.Text(), nullable=False),
        sa.Column("parameters", Json, nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["job.id"], name=op.f("fk_model_version_job_id")),
        sa.ForeignKeyConstraint(["model_id"], ["model.id"], name=op.f("fk_model_version_model_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_model_version")),
        sa.UniqueConstraint("job_id", name=op.f("uq_model_version_job_id")),
        sa.UniqueConstraint("model_id", "version", name=op.f("uq_model_version_model_id_version")),
    )
    op.create_table(
        "neighbour",
        sa.Column("job_id", BigId, nullable=False),
        sa.Column("document_id", BigId, nullable=False),
        sa.Column("rank", BigId, nullable=False),
        sa.Column("neighbour_id", BigId, nullable=False),
        sa.Column("score", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(["document_id"], ["document.id"], name=op.f("fk_neighbour_document_id")),
        sa.ForeignKeyConstraint(["job_id"], ["job.id"], name=op.f("fk_neighbour_job_id")),
        sa.ForeignKeyConstraint(["neighbour_id"], ["document.id"], name=op.f("fk_neighbour_neighbour_id")),
        sa.PrimaryKeyConstraint("job_id", "document_id", "rank", name=op.f("pk_neighbour")),
    )
    op.create_index(op.f("ix_neighbour_document_id"), "neighbour", ["document_id"], unique=False)
    op.create_table(
        "outcome",
        sa.Column("job_id", BigId, nullable=False),
        sa.Column("document_id", BigId, nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("error_code", sa.Text(), nullable=True),
        sa.Column("error_detail", sa.Text(), nullable=True),
        sa.Column("written_at", UtcDateTime(), nullable=False),
        sa.CheckConstraint("(state = 'ok') = (error_code IS NULL)", name=op.f("ck_outcome_error_has_code")),
        sa.CheckConstraint("state IN ('ok', 'error')", name=op.f("ck_outcome_state")),
        sa.ForeignKeyConstraint(["document_id"], ["document.id"], name=op.f("fk_outcome_document_id")),
        sa.ForeignKeyConstraint(["job_id"], ["job.id"], name=op.f("fk_outcome_job_id")),
        sa.PrimaryKeyConstraint("job_id", "document_id", name=op.f("pk_outcome")),
    )
    op.create_index("ix_outcome_document_id", "outcome", ["document_id"], unique=False)
    op.create_index(
        "ix_outcome_error",
        "outcome",
        ["job_id", "error_code"],
        unique=False,
        sqlite_where=sa.text("state = 'error'"),
        postgresql_where=sa.text("state = 'error'"),
    )
    op.create_table(
        "summary",
        sa.Column("job_id", BigId, nullable=False),
        sa.Column("document_id", BigId, nullable=False),
        sa.Column("summary", sa.Text(), nullable=False),
        sa.Column("method", sa.Text(), nullable=False),
        sa.Column("n_sentences", BigId, nullable=False),
        sa.ForeignKeyConstraint(["document_id"], ["document.id"], name=op.f("fk_summary_document_id")),
        sa.ForeignKeyConstraint(["job_id"], ["job.id"], name=op.f("fk_summary_job_id")),
        sa.PrimaryKeyConstraint("job_id", "document_id", name=op.f("pk_summary")),
    )
    op.create_index(op.f("ix_summary_document_id"), "summary", ["document_id"], unique=False)
    op.create_table(
        "summary_sentence",
        sa.Column("job_id", BigId, nullable=False),
        sa.Column("document_id", BigId, nullable=False),
        sa.Column("position", BigId, nullable=False),
        sa.Column("start_char", BigId, nullable=False),
        sa.Column("end_char", BigId, nullable=False),
        sa.Column("score", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(
            ["document_id"], ["document.id"], name=op.f("fk_summary_sentence_document_id")
        ),
        sa.ForeignKeyConstraint(["job_id"], ["job.id"], name=op.f("fk_summary_sentence_job_id")),
        sa.PrimaryKeyConstraint("job_id", "document_id", "position", name=op.f("pk_summary_sentence")),
    )
    op.create_table(
        "document_vector",
        sa.Column("document_id", BigId, nullable=False),
        sa.Column("model_version_id", BigId, nullable=False),
        sa.Column("vector", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["document_id"], ["document.id"], name=op.f("fk_document_vector_document_id")
        ),
        sa.ForeignKeyConstraint(
            ["model_version_id"], ["model_version.id"], name=op.f("fk_document_vector_model_version_id")
        ),
        sa.PrimaryKeyConstraint("document_id", "model_version_id", name=op.f("pk_document_vector")),
    )
    op.create_index(
        "ix_document_vector_model_version_id", "document_vector", ["model_version_id"], unique=False
    )
    op.create_table(
        "model_alias",
        sa.Column("model_id", BigId, nullable=False),
        sa.Column("alias", sa.Text(), nullable=False),
        sa.Column("model_version_id", BigId, nullable=False),
        sa.Column("previous_version_id", BigId, nullable=True),
        sa.ForeignKeyConstraint(["model_id"], ["model.id"], name=op.f("fk_model_alias_model_id")),
        sa.ForeignKeyConstraint(
            ["model_version_id"], ["model_version.id"], name=op.f("fk_model_alias_model_version_id")
        ),
        sa.ForeignKeyConstraint(
            ["previous_version_id"], ["model_version.id"], name=op.f("fk_model_alias_previous_version_id")
        ),
        sa.PrimaryKeyConstraint("model_id", "alias", name=op.f("pk_model_alias")),
    )
    op.create_table(
        "model_metric",
        sa.Column("model_version_id", BigId, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(
            ["model_version_id"], ["model_version.id"], name=op.f("fk_model_metric_model_version_id")
        ),
        sa.PrimaryKeyConstraint("model_version_id", "name", name=op.f("pk_model_metric")),
    )
    if is_postgres:
        # job and model_version refer to each other: one reference has to come after both tables.
        op.create_foreign_key("fk_job_model_version_id", "job", "model_version", ["model_version_id"], ["id"])
    _refuse_changes_of_outcomes(is_postgres)


def _refuse_changes_of_outcomes(is_postgres: bool) -> None:
    """An outcome is written once: whoever tries to change one gets an error, even by hand."""
    if is_postgres:
        op.execute(
            "CREATE FUNCTION outcome_is_final() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN RAISE EXCEPTION 'an outcome is final and is never changed'; END $$"
        )
        op.execute(
            "CREATE TRIGGER outcome_is_final BEFORE UPDATE OR DELETE ON outcome "
            "FOR EACH ROW EXECUTE FUNCTION outcome_is_final()"
        )
        return
    for verb in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER outcome_no_{verb.lower()} BEFORE {verb} ON outcome "
            "BEGIN SELECT RAISE(ABORT, 'an outcome is final and is never changed'); END"
        )
