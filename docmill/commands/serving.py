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
) -> None:
    """Serve the pages until stopped: jobs, documents, models and nights in a browser.

    Example: docmill serve
    """
    import uvicorn

    from docmill.commands.output import say
    from docmill.web.app import create_app
    from scheduler.store import store

    app = create_app(store())
    say(f"docmill: http://{address}:{port}/")
    uvicorn.run(app, host=address, port=port, log_level="warning", server_header=False)
