"""Checks of stored results by running documents again."""
