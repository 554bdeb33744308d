"""docmill serve: the pages, until stopped."""

from __future__ import annotations

import socket
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
    proxy: Annotated[
        list[str],
        typer.Option(
            metavar="ADDRESS",
            help="A proxy that is believed who its client is and that it speaks TLS (X-Forwarded-For and -Proto); "
            "may be repeated, and may be a network such as 10.0.0.0/8.",
        ),
    ] = [],  # noqa: B006
) -> None:
    """Serve the pages until stopped: jobs, documents, models and nights in a browser.

    Example: docmill serve
    """
    import secrets

    from docmill.commands.output import say
    from docmill.web import server
    from docmill.web.app import LOOPBACK, create_app
    from scheduler.store import store

    token = secrets.token_urlsafe(24) if address in LOOPBACK else None
    app = create_app(store(), (*LOOPBACK, *host), token)
    with _listening(address, port) as listener:
        say(f"docmill: http://{address}:{port}/" + (f"login?token={token}" if token else ""))
        server.run(app, listener, proxy)


def _listening(address: str, port: int) -> socket.socket:
    try:
        return socket.create_server((address, port))
    except OSError as error:
        raise ValueError(
            f"cannot listen on {address}:{port} ({error.strerror}): choose another port with --port"
        ) from None
