"""Running one chunk: claim, load, run in batches, write."""
