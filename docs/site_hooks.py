"""For the site (mkdocs.yml): a link to a file outside of docs/ leads to the repository."""

from __future__ import annotations

import re
from typing import Any

_OUTSIDE = re.compile(r"\]\(\.\./([^)\s]+)\)")


def on_page_markdown(markdown: str, *, page: Any, config: Any, **_: Any) -> str:
    """Point `](../deploy/postgres.sql)` of a page in docs/ at the repository."""
    if "/" in page.file.src_uri:
        return markdown
    return _OUTSIDE.sub(rf"]({config.extra['repository']}/blob/main/\1)", markdown)
