"""`docmill metrics`: what Prometheus is told about the store and Redis."""
