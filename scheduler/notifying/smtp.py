"""Mail. The variable holds the URL of the server:

smtp://user:password@mail.example.com:587?from=docmill@example.com     STARTTLS, which the server has to offer
smtps://user:password@mail.example.com:465                            TLS from the first byte
smtp://localhost:25?tls=no                                            neither, for a relay on this machine
"""

from __future__ import annotations

import smtplib
import socket
import ssl
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import format_datetime
from urllib.parse import parse_qs, unquote, urlsplit

from db.notifications import Claimed
from scheduler.notifying import secret
from scheduler.notifying.deadline import DELIVERY_SECONDS, SILENCE_SECONDS, within
from scheduler.notifying.destinations import Destination
from scheduler.notifying.secret import DeliveryError

#: The host's own name is asked for nowhere: it would take seconds where the name service is slow.
LOCAL_NAME = "docmill.invalid"


@dataclass(frozen=True)
class Server:
    """What the URL says."""

    host: str
    port: int
    is_tls: bool
    wants_starttls: bool
    user: str | None
    password: str | None
    sender: str


def deliver(destination: Destination, claimed: Claimed) -> None:
    """Send one mail to all recipients; DeliveryError if the server does not take it for one of them."""
    url = secret.value(destination.variable)
    server = parse(destination.variable, url)
    try:
        refused = _send(server, mail(server.sender, destination.recipients, claimed), destination.recipients)
    except smtplib.SMTPRecipientsRefused as error:
        refused = error.recipients
    except (OSError, smtplib.SMTPException) as error:
        words = secret.without(_words(error), url, *filter(None, (server.user, server.password)))
        raise DeliveryError(f"{server.host}:{server.port}: {words}") from None
    if refused:
        raise DeliveryError(f"{server.host}:{server.port} refuses {', '.join(sorted(refused))}")


def mail(sender: str, recipients: tuple[str, ...], claimed: Claimed) -> EmailMessage:
    """The message as mail. Its Message-ID is the same in every attempt."""
    message = EmailMessage()
    message["Subject"] = f"[docmill] {claimed.message.title}"
    message["From"] = sender
    message["To"] = ", ".join(recipients)
    message["Date"] = format_datetime(claimed.written_at)
    message["Message-ID"] = f"<{claimed.uid}@{sender.rpartition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"
    message["X-Docmill-Event"] = str(claimed.event)
    message.set_content(claimed.message.body.encode("utf-8", "backslashreplace").decode() + "\n")
    return message


def parse(variable: str, url: str) -> Server:
    """The parts of the URL; DeliveryError, which does not repeat it, if it is none."""
    wrong = DeliveryError(
        f"{variable} is no mail server: write smtp://user:password@host:587?from=docmill@host"
    )
    try:
        parts = urlsplit(url)
        port = parts.port or (465 if parts.scheme == "smtps" else 587 if parts.username else 25)
    except ValueError:
        raise wrong from None
    if parts.scheme not in ("smtp", "smtps") or not parts.hostname:
        raise wrong
    options = parse_qs(parts.query)
    user = unquote(parts.username) if parts.username else None
    sender = options.get("from", [user if user and "@" in user else f"docmill@{parts.hostname}"])[0]
    if not sender.isprintable() or sender.count("@") != 1:
        raise DeliveryError(f"{variable}: from= is no mail address")
    is_tls = parts.scheme == "smtps"
    wants_starttls = not is_tls and options.get("tls", ["yes"])[0] != "no"
    password = unquote(parts.password) if parts.password is not None else None
    return Server(parts.hostname, port, is_tls, wants_starttls, user, password, sender)


def _send(server: Server, message: EmailMessage, recipients: tuple[str, ...]) -> dict[str, tuple[int, bytes]]:
    """The recipients that were refused, while others were not."""
    connection = _connection(server)
    with within(DELIVERY_SECONDS, lambda: connection.sock) as check, connection:
        connection.connect(server.host, server.port)
        check()
        if server.wants_starttls:
            connection.starttls(context=ssl.create_default_context())
        if server.user is not None and server.password is not None:
            connection.login(server.user, server.password)
        return connection.send_message(message, server.sender, list(recipients))


def _connection(server: Server) -> smtplib.SMTP:
    if server.is_tls:
        context = ssl.create_default_context()
        found: smtplib.SMTP = smtplib.SMTP_SSL(
            local_hostname=LOCAL_NAME, timeout=SILENCE_SECONDS, context=context
        )
    else:
        found = smtplib.SMTP(local_hostname=LOCAL_NAME, timeout=SILENCE_SECONDS)
    # smtplib checks certificates against this name, which it learns from its constructor only.
    found._host = server.host  # type: ignore[attr-defined]
    return found


def _words(error: Exception) -> str:
    if isinstance(error, smtplib.SMTPResponseException):
        said = error.smtp_error
        words = said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
        return f"{error.smtp_code} {' '.join(words.split())}"
    if isinstance(error, smtplib.SMTPNotSupportedError):
        return f"{error} (a server without TLS needs ?tls=no)"
    if isinstance(error, socket.gaierror):
        return "there is no such host"
    return str(error) or type(error).__name__
