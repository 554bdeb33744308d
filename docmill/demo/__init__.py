"""The demo: `docmill demo`."""
