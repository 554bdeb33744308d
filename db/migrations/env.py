"""Run by alembic. The connection comes from db.migrations.upgrade, inside its transaction."""

from alembic import context

from db.tables import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    transactional_ddl=True,
    compare_type=False,
)
context.run_migrations()
