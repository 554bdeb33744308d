"""Templates: every value is escaped. Numbers, times and durations as a person says them."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from typing import Any
from urllib.parse import urlencode

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse

from docmill.commands import output
from docmill.pages.night.page import POLICY

#: Names of routes, with what the menu calls them.
MENU = (
    ("jobs", "Jobs"),
    ("collections", "Documents"),
    ("models", "Models"),
    ("nights", "Nights"),
    ("workers", "Workers"),
    ("quarantine", "Quarantine"),
)
#: The policy of pages that are one file with a style of their own.
ONE_FILE = f"{POLICY}; frame-ancestors 'none'"
#: What stands in a path: numbers, and names of our own files.
_IN_PATH = {"job_id", "run_id", "plan_id", "path"}


def page(request: Request, template: str, *, status: int = 200, **values: Any) -> HTMLResponse:
    """A page of docmill/web/templates. An unknown name in a template is an error."""
    found = environment().get_template(template)

    def url(name: str, /, **values: Any) -> str:
        return address(request, name, **values)

    who = getattr(request.state, "access", None)
    body = found.render(request=request, path=request.url.path, url=url, menu=MENU, access=who, **values)
    return HTMLResponse(body, status_code=status)


def address(request: Request, name: str, /, **values: Any) -> str:
    """The address of a route. Names that people chose are in its query: they may hold any character."""
    in_path = {key: value for key, value in values.items() if key in _IN_PATH}
    query = urlencode({key: value for key, value in values.items() if key not in _IN_PATH})
    return str(request.app.url_path_for(name, **in_path)) + (f"?{query}" if query else "")


@cache
def environment() -> Environment:
    """The templates with their filters."""
    made = Environment(
        loader=PackageLoader("docmill.web"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {"number": number, "moment": moment, "duration": duration, "share": share, "bytes": size}
    return made


def number(value: float | None) -> str:
    """1,234; a dash for nothing."""
    if value is None:
        return "-"
    return f"{value:,}" if isinstance(value, int) else f"{value:,.1f}"


def share(part: float, whole: float) -> str:
    """ "62 %"."""
    return f"{100 * part / whole:.0f} %" if whole else "-"


def size(n: float) -> str:
    """ "1.2 GB"."""
    for unit in ("B", "kB", "MB", "GB"):
        if n < 1_000 or unit == "GB":
            break
        n /= 1_000
    return f"{n:,.0f} {unit}" if unit in ("B", "kB") or n >= 100 else f"{n:,.1f} {unit}"


def duration(seconds: float | None) -> str:
    """As commands write it; a dash for nothing."""
    return "-" if seconds is None else output.duration(seconds)


def moment(value: datetime | str | None) -> Markup:
    """A <time> element: UTC in words; the script shows it in the reader's zone. SQLite's views give texts."""
    if value is None:
        return Markup("-")
    value = datetime.fromisoformat(value) if isinstance(value, str) else value
    utc = value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)
    return Markup('<time datetime="{}" title="{}">{} UTC</time>').format(
        utc.isoformat(timespec="seconds"), utc.isoformat(timespec="seconds"), utc.strftime("%Y-%m-%d %H:%M")
    )
