"""Summaries made of a document's own sentences."""
