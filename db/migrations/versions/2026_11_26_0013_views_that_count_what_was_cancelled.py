"""The views are made anew: v_job_progress counts cancelled documents apart, v_latest_label calls its probability so,
and v_latest_summary says whose sentences it counts."""

revision = "0013"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Every migration ends with the views of this version (db.migrations.upgrade).
    pass
