"""Exports: `making.export` carries out a `request.ExportRequest`. Importing this imports nothing."""
