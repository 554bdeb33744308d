"""The same light task for each queue. Run by the peers' own interpreter, so nothing here imports docmill, except docmill_*."""
