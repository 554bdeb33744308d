"""The docmill command, a file for each group of commands. Importing them loads typer and nothing heavier."""
