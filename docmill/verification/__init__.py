"""Stored results checked by running documents again."""
