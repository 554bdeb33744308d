"""A mail (RFC 5322, MIME): its text, with subject and people as its first lines; attachments are members."""

from __future__ import annotations

from email import errors, message_from_bytes, policy
from email.errors import MessageError
from email.header import decode_header
from email.message import EmailMessage

from readers.extraction import dates
from readers.extraction.context import Context
from readers.extraction.encoded import decode
from readers.extraction.formats import html
from readers.extraction.records import ExtractionError, Member
from readers.extraction.source import Source
from readers.extraction.writer import Writer, clean

_SHOWN = ("From", "To", "Cc", "Date", "Subject")
_ENCRYPTED = frozenset(("multipart/encrypted", "application/pkcs7-mime", "application/x-pkcs7-mime"))
_MAX_PARTS = 1000
#: What Python's parser notes where a mail is not whole.
_LOSSES = (
    errors.CloseBoundaryNotFoundDefect,
    errors.StartBoundaryNotFoundDefect,
    errors.InvalidBase64PaddingDefect,
    errors.InvalidBase64LengthDefect,
    errors.InvalidBase64CharactersDefect,
)
_MAX_HEADER_CHARS = 20_000


def read(source: Source, out: Writer, context: Context) -> None:
    """ENCRYPTED for S/MIME and PGP mails. A mail of headers only has them as its text."""
    try:
        message = message_from_bytes(source.read(), policy=policy.default)
    except (MessageError, ValueError, LookupError, IndexError) as error:
        raise ExtractionError("CORRUPT", f"the mail cannot be read: {error}") from error
    assert isinstance(message, EmailMessage)
    if _is_encrypted(message):
        raise ExtractionError("ENCRYPTED", "the mail is encrypted: save its decrypted form")
    for name in _SHOWN:
        if value := _header(message, name):
            out.paragraph(f"{name}: {value}")
    out.title = _header(message, "Subject") or None
    out.author = _header(message, "From") or None
    out.created = dates.of_mail(_header(message, "Date"))
    body, attachments = _parts(message)
    for part in body:
        _read_body(part, out, context)
    for number, part in enumerate(attachments, 1):
        out.members.append(_attachment(part, number, context))
    for part in (message, *body, *attachments):
        for defect in part.defects:
            if isinstance(defect, _LOSSES):
                out.warn(
                    "TRUNCATED",
                    f"the mail is cut or damaged ({type(defect).__name__}): a part may be missing",
                )


def _is_encrypted(message: EmailMessage) -> bool:
    kind = message.get_content_type()
    return kind in _ENCRYPTED and "signed" not in str(message.get("Content-Type", ""))


def _header(message: EmailMessage, name: str) -> str:
    """A header as people read it; as it stands where the mail breaks the rules."""
    raw = next((str(value) for key, value in message.raw_items() if key.lower() == name.lower()), "")
    return _decoded(raw[:_MAX_HEADER_CHARS])


def _decoded(raw: str) -> str:
    """Words such as =?euc-kr?B?...?= as text. Bytes that the mail holds as they are count as UTF-8 or CP949."""
    parts: list[str] = []
    try:
        for value, charset in decode_header(raw):
            if isinstance(value, str):
                value = value.encode("utf-8", "surrogateescape")
            parts.append(decode(value, charset))
    except (ValueError, MessageError):
        parts = [raw]
    return " ".join("".join(parts).split())


def _parts(message: EmailMessage) -> tuple[list[EmailMessage], list[EmailMessage]]:
    """What is read as the mail, and what is attached. Of alternatives plain text is taken, else HTML."""
    body: list[EmailMessage] = []
    attachments: list[EmailMessage] = []
    waiting = [message]
    n_parts = 0
    while waiting and n_parts < _MAX_PARTS:
        part = waiting.pop(0)
        n_parts += 1
        kind = part.get_content_type()
        if kind == "multipart/alternative":
            waiting[:0] = _chosen(part)
        elif part.is_multipart() and kind != "message/rfc822":
            waiting[:0] = [each for each in part.iter_parts() if isinstance(each, EmailMessage)]
        elif kind in ("text/plain", "text/html") and not part.is_attachment():
            body.append(part)
        elif not kind.startswith(("application/pgp-signature", "application/pkcs7-signature")):
            attachments.append(part)
    return body, attachments


def _chosen(part: EmailMessage) -> list[EmailMessage]:
    forms = [each for each in part.iter_parts() if isinstance(each, EmailMessage)]
    for kind in ("text/plain", "text/html"):
        for form in forms:
            if form.get_content_type() == kind and _payload(form).strip():
                return [form]
    return forms[-1:]


def _payload(part: EmailMessage) -> bytes:
    if part.get_content_type() == "message/rfc822":
        inner = part.get_payload()
        return inner[0].as_bytes() if isinstance(inner, list) and inner else b""  # type: ignore[union-attr]
    try:
        found = part.get_payload(decode=True)
    except (ValueError, LookupError, MessageError):
        return b""
    return found if isinstance(found, bytes) else b""


def _read_body(part: EmailMessage, out: Writer, context: Context) -> None:
    text = decode(_payload(part), part.get_content_charset())
    if part.get_content_type() == "text/html":
        title, language, author, created = out.title, out.language, out.author, out.created
        html.whole(text, out, context.budget)
        out.title, out.language, out.author, out.created = title, language, author, created
        return
    for line in text.replace("\r\n", "\n").split("\n"):
        out.verbatim(line)


def _attachment(part: EmailMessage, number: int, context: Context) -> Member:
    try:
        name = _decoded(part.get_filename() or "")
    except (ValueError, LookupError, IndexError, TypeError):
        name = ""
    name = clean(name).replace("\n", " ") or f"attachment {number}"
    try:
        data = _payload(part)
    except (ValueError, LookupError, KeyError, AttributeError, MessageError) as error:
        return Member(name, error=ExtractionError("CORRUPT", f"the attachment cannot be decoded: {error}"))
    return context.member(Source(data, name))
