"""Straight to the store."""
