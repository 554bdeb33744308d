"""Logging of docmill's own processes: to stderr, a record a line, as text or as JSON (DOCMILL_LOG_FORMAT)."""

from __future__ import annotations

import json
import logging
import sys
import threading
from datetime import UTC, datetime
from types import TracebackType
from typing import Any

from workers import tracing
from workers.processes import log_context
from workers.settings import settings


def to_stderr() -> None:
    """Log from INFO on to stderr."""
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(_with_fields)
    as_json = settings().log_format == "json"
    handler.setFormatter(Json() if as_json else OneLine(OneLine.FORMAT))
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    # Its progress is in the job's note; a line for each step would hide the rest.
    logging.getLogger("gensim").setLevel(logging.WARNING)
    if as_json:
        _log_what_python_prints()


class OneLine(logging.Formatter):
    """Escapes control characters, so that no text can forge a line; what has several lines is indented. What the
    record is about stands in brackets at the end of the message."""

    FORMAT = "%(asctime)s %(levelname)s %(name)s %(processName)s: %(message)s"

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 (the base's name)
        fields = " ".join(f"{name}={value}" for name, value in _fields_of(record).items())
        return super().formatMessage(record) + (f" [{fields}]" if fields else "")

    def format(self, record: logging.LogRecord) -> str:
        lines = super().format(record).split("\n")
        return "\n    ".join(map(_printable, lines))


class Json(logging.Formatter):
    """A JSON object a line, whatever is in the message and its exception."""

    def format(self, record: logging.LogRecord) -> str:
        found: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "process": record.processName,
            "message": record.getMessage(),
            **_fields_of(record),
        }
        if record.exc_info and record.exc_info[0] is not None:
            found["exception"] = self.formatException(record.exc_info)
        if record.stack_info:
            found["stack"] = record.stack_info
        # JSON itself escapes the line ends of ASCII alone; the others, and lone surrogates, are escaped here.
        return "".join(
            char if char.isprintable() else json.dumps(char)[1:-1]
            for char in json.dumps(found, ensure_ascii=False)
        )


def _printable(line: str) -> str:
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in line)


def _with_fields(record: logging.LogRecord) -> bool:
    """Note what the record is about, in the thread that logs it."""
    about = log_context.of_message(getattr(record, "data", None)) | log_context.current()
    record.docmill = about | tracing.ids()
    return True


def _fields_of(record: logging.LogRecord) -> dict[str, Any]:
    return getattr(record, "docmill", {})


def _log_what_python_prints() -> None:
    """Warnings, and exceptions that nobody caught, would be plain text otherwise."""
    logging.captureWarnings(True)

    def uncaught(
        kind: type[BaseException],
        error: BaseException,
        trace: TracebackType | None,
        where: str = "the process",
    ) -> None:
        logging.getLogger("docmill").critical(
            "%s ends: %s", where, kind.__name__, exc_info=(kind, error, trace)
        )

    def in_a_thread(args: threading.ExceptHookArgs) -> None:
        if args.exc_value is not None:
            name = args.thread.name if args.thread else "unknown"
            uncaught(args.exc_type, args.exc_value, args.exc_traceback, f"thread {name}")

    sys.excepthook = uncaught
    threading.excepthook = in_a_thread
