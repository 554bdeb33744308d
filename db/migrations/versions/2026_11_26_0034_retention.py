"""Retention: outcomes of old jobs can be pruned, and the database counts what goes."""

import sqlalchemy as sa
from alembic import op

from db.sql import UtcDateTime
from db.tables.base import BigId, Json

revision = "0034"
down_revision = "0033"
branch_labels = None
depends_on = None

_REFUSAL = "an outcome is final: it is deleted only from a job that has ended, while table pruned counts it"


def upgrade() -> None:
    op.create_table(
        "retention_policy",
        sa.Column("id", BigId, nullable=False),
        sa.Column("policy", sa.Text(), nullable=False),
        sa.Column("set_at", UtcDateTime(), nullable=False),
        sa.Column("next_at", UtcDateTime(), nullable=False),
        sa.Column("busy_until", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_retention_policy")),
    )
    op.create_table(
        "retention_pass",
        sa.Column("id", BigId, nullable=False),
        sa.Column("counts", Json, nullable=False),
        sa.Column("started_at", UtcDateTime(), nullable=False),
        sa.Column("ended_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_retention_pass")),
    )
    op.create_table(
        "pruned",
        sa.Column("job_id", BigId, nullable=False),
        sa.Column("policy", sa.Text(), nullable=False),
        sa.Column("n_ok", BigId, nullable=False),
        sa.Column("n_error", BigId, nullable=False),
        sa.Column("is_open", sa.Boolean(), nullable=False),
        sa.Column("first_at", UtcDateTime(), nullable=False),
        sa.Column("last_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["job.id"], name=op.f("fk_pruned_job_id")),
        sa.PrimaryKeyConstraint("job_id", "policy", name=op.f("pk_pruned")),
    )
    op.create_index(
        "uq_pruned_open",
        "pruned",
        ["job_id"],
        unique=True,
        sqlite_where=sa.text("is_open"),
        postgresql_where=sa.text("is_open"),
    )
    op.add_column("model_version", sa.Column("pruned_at", UtcDateTime(), nullable=True))
    if op.get_bind().dialect.name == "postgresql":
        _count_on_postgresql()
    else:
        _count_on_sqlite()


def _count_on_postgresql() -> None:
    # Once a statement, as references are checked: a trigger for each row would change the count's row as often.
    op.execute("DROP TRIGGER outcome_is_final ON outcome")
    op.execute(
        "CREATE TRIGGER outcome_is_final BEFORE UPDATE ON outcome "
        "FOR EACH ROW EXECUTE FUNCTION outcome_is_final()"
    )
    op.execute(f"""
        CREATE FUNCTION outcome_is_counted() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF EXISTS (
                SELECT FROM (SELECT DISTINCT job_id FROM gone) g
                WHERE NOT EXISTS (SELECT FROM pruned p JOIN job j ON j.id = p.job_id
                                  WHERE p.job_id = g.job_id AND p.is_open AND j.state IN ('finished', 'cancelled'))
            ) THEN
                RAISE EXCEPTION '{_REFUSAL}';
            END IF;
            UPDATE pruned p SET n_ok = p.n_ok + c.n_ok, n_error = p.n_error + c.n_error
            FROM (SELECT job_id, COUNT(*) FILTER (WHERE state = 'ok') AS n_ok,
                         COUNT(*) FILTER (WHERE state = 'error') AS n_error
                  FROM gone GROUP BY job_id) c
            WHERE p.job_id = c.job_id AND p.is_open;
            RETURN NULL;
        END $$
    """)  # noqa: S608 (our own words)
    op.execute(
        "CREATE TRIGGER outcome_is_counted AFTER DELETE ON outcome REFERENCING OLD TABLE AS gone "
        "FOR EACH STATEMENT EXECUTE FUNCTION outcome_is_counted()"
    )


def _count_on_sqlite() -> None:
    op.execute("DROP TRIGGER outcome_no_delete")
    op.execute(f"""
        CREATE TRIGGER outcome_no_delete BEFORE DELETE ON outcome
        WHEN NOT EXISTS (SELECT 1 FROM pruned p JOIN job j ON j.id = p.job_id
                         WHERE p.job_id = OLD.job_id AND p.is_open AND j.state IN ('finished', 'cancelled'))
        BEGIN SELECT RAISE(ABORT, '{_REFUSAL}'); END
    """)  # noqa: S608 (our own words)
    op.execute(
        "CREATE TRIGGER outcome_is_counted AFTER DELETE ON outcome "
        "BEGIN UPDATE pruned SET n_ok = n_ok + (OLD.state = 'ok'), n_error = n_error + (OLD.state = 'error') "
        "WHERE job_id = OLD.job_id AND is_open; END"
    )
