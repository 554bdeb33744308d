"""docmill serve: the pages, until stopped."""

from __future__ import annotations

from typing import Annotated

import typer


def serve(
    port: Annotated[
        int, typer.Option(metavar="PORT", min=1, max=65535, help="The port to listen on.")
    ] = 8484,
    address: Annotated[
        str,
        typer.Option(
            metavar="ADDRESS",
            help="The address; put others than 127.0.0.1 behind a proxy with TLS.",
        ),
    ] = "127.0.0.1",
    host: Annotated[
        list[str],
        typer.Option(metavar="NAME", help="A name by which browsers reach this server; may be repeated."),
    ] = [],  # noqa: B006
) -> None:
    """Serve the pages until stopped: jobs, documents, models and nights in a browser.

    Example: docmill serve
    """
    import secrets

    import uvicorn

    from docmill.commands.output import say
    from docmill.web.app import LOOPBACK, create_app
    from scheduler.store import store

    token = secrets.token_urlsafe(24) if f"{address}" in LOOPBACK else None
    app = create_app(store(), (*LOOPBACK, *host), token)
    say(f"docmill: http://{address}:{port}/" + (f"login?token={token}" if token else ""))
    uvicorn.run(app, host=address, port=port, log_level="warning", server_header=False)
