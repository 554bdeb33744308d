"""Traces with OpenTelemetry, from submit to outcome: the context of a submission is stored with its job, and each claim
of one of its chunks goes on from there.

Nothing of OpenTelemetry is imported unless `start` finds that it was asked for, or the program has imported it itself;
without it a span costs a look into a dictionary. Spans hold numbers and names of kinds: never a key or a text.
"""

from __future__ import annotations

import atexit
import sys
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

from workers.settings import Traces, traces

if TYPE_CHECKING:
    from opentelemetry.trace import Span

#: At the end of a process, wait at most this long for a collector to take the last spans.
STOP_SECONDS = 1.0
_MODULE = "opentelemetry.trace"

_provider: Any = None


def start(service: str) -> None:
    """Send this process's spans where OpenTelemetry's own variables say, if they do. ImportError with the fix if the
    extra is not installed. `service` is the name unless OTEL_SERVICE_NAME is set."""
    global _provider
    asked = traces()
    if asked.exporter is None or _provider is not None:
        return
    try:
        from opentelemetry import trace
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError as error:
        raise ValueError(
            "OTEL_* asks for traces, and OpenTelemetry is not installed: pip install 'docmill[traces]'"
        ) from error
    named = {} if asked.names_service else {"service.name": service}
    _provider = TracerProvider(resource=Resource.create(named), shutdown_on_exit=False)
    _provider.add_span_processor(BatchSpanProcessor(_exporter(asked)))
    trace.set_tracer_provider(_provider)
    atexit.register(stop)


def stop() -> None:
    """Send what is left, unless the collector takes too long."""
    global _provider
    if _provider is not None:
        ending = threading.Thread(target=_provider.shutdown, name="traces", daemon=True)
        _provider = None
        ending.start()
        ending.join(STOP_SECONDS)


def _exporter(asked: Traces) -> Any:
    if asked.exporter == "console":
        from opentelemetry.sdk.trace.export import ConsoleSpanExporter

        return ConsoleSpanExporter()
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    return OTLPSpanExporter()


def is_on() -> bool:
    """Whether a span could be recorded."""
    return _MODULE in sys.modules


def span(
    name: str, *, parent: str | None = None, start_ns: int | None = None, **attributes: Any
) -> AbstractContextManager[Span | None]:
    """A span around what is done inside: of the trace of `parent` (a traceparent) if there is one, else of this
    thread's. An exception makes it an error of that type; its message, which may quote a text, stays out."""
    return _span(name, parent, start_ns, attributes) if _MODULE in sys.modules else nullcontext()


@contextmanager
def _span(name: str, parent: str | None, start_ns: int | None, attributes: dict[str, Any]) -> Iterator[Span]:
    from opentelemetry import trace
    from opentelemetry.trace import StatusCode
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    context = TraceContextTextMapPropagator().extract({"traceparent": parent}) if parent else None
    with trace.get_tracer("docmill").start_as_current_span(
        name,
        context=context,
        attributes={f"docmill.{key}": value for key, value in attributes.items() if value is not None},
        start_time=start_ns,
        record_exception=False,
        set_status_on_exception=False,
    ) as made:
        try:
            yield made
        except BaseException as error:
            made.set_attribute("error.type", type(error).__name__)
            made.set_status(StatusCode.ERROR)
            raise


def note(made: Span | None, **attributes: Any) -> None:
    """Add what is known now."""
    if made is not None:
        made.set_attributes(
            {f"docmill.{key}": value for key, value in attributes.items() if value is not None}
        )


def traceparent() -> str | None:
    """This thread's span, as W3C's header; None if there is none."""
    if _MODULE not in sys.modules:
        return None
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    carrier: dict[str, str] = {}
    TraceContextTextMapPropagator().inject(carrier)
    return carrier.get("traceparent")


def ids() -> dict[str, str]:
    """This thread's trace and span, for its log lines."""
    if _MODULE not in sys.modules:
        return {}
    from opentelemetry import trace

    found = trace.get_current_span().get_span_context()
    return {"trace": f"{found.trace_id:032x}", "span": f"{found.span_id:016x}"} if found.is_valid else {}
