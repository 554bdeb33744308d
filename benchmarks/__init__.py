"""Measurements. Each prints a table, then one JSON line, and exits 1 when a bar is missed."""
