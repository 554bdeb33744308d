"""docmill serve: the pages, until stopped."""

from __future__ import annotations

import socket
from pathlib import Path
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
    keys_only: Annotated[
        bool,
        typer.Option(
            "--keys-only", help="Print no address that signs in: people sign in with a key (docmill keys)."
        ),
    ] = False,
    token_file: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Take the token that signs in from this file, and do not print it; else it is new at each start.",
        ),
    ] = None,
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

    `docmill up` serves them too. Where nobody may run a server, `docmill pages` writes a copy of them into a folder.

    Example: docmill serve
    """

    from docmill.commands.output import say
    from docmill.web import server
    from docmill.web.app import LOOPBACK, create_app
    from scheduler.store import store

    token = None if keys_only else _token(token_file, is_local=address in LOOPBACK)
    app = create_app(store(), (*LOOPBACK, *host), token)
    with _listening(address, port) as listener:
        printed = token if token_file is None else None
        say(f"docmill: http://{address}:{port}/" + (f"login?token={printed}" if printed else ""))
        server.run(app, listener, proxy)


def _token(file: Path | None, *, is_local: bool) -> str | None:
    """What the address that signs in ends with. Other machines get none: they would send it unencrypted."""
    import secrets

    if file is not None:
        return file.read_text(encoding="ascii").strip() or None
    return secrets.token_urlsafe(24) if is_local else None


def _listening(address: str, port: int) -> socket.socket:
    try:
        return socket.create_server((address, port))
    except OSError as error:
        raise ValueError(
            f"cannot listen on {address}:{port} ({error.strerror}): choose another port with --port, "
            "or use the pages that `docmill up` serves there"
        ) from None
