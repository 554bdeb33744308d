"""Logging of docmill's own processes: to stderr, a message a line."""

from __future__ import annotations

import logging
import sys


def to_stderr() -> None:
    """Log from INFO on to stderr."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(OneLine("%(asctime)s %(levelname)s %(name)s %(processName)s: %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    # Its progress is in the job's note; a line for each step would hide the rest.
    logging.getLogger("gensim").setLevel(logging.WARNING)


class OneLine(logging.Formatter):
    """Escapes control characters, so that no text can forge a line; what has several lines is indented."""

    def format(self, record: logging.LogRecord) -> str:
        lines = super().format(record).split("\n")
        return "\n    ".join("".join(c if c.isprintable() else repr(c)[1:-1] for c in line) for line in lines)
