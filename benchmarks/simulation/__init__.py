"""Many light workers on the real scheduler, Redis and PostgreSQL: where docmill saturates, and on what."""
