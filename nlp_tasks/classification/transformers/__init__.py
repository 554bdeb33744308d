"""Classifiers from a transformers model in a local folder."""
