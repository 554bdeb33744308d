"""The same light task for each queue, run by the peers' own interpreter: only docmill_*.py imports docmill."""
