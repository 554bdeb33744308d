"""The views are made anew: v_job_progress says why a chunk waits, v_shadow_agreement looks at other versions of
the same model."""

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Every migration ends with the views of this version (db.migrations.upgrade).
    pass
