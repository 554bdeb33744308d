"""Training jobs: build a model, judge it, register it."""
