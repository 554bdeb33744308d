"""What `--to` and `--notify` accept.

A destination never holds a secret: it names the environment variable of the schedulers that does.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from db.notifications import Rule
from db.states import Event

EXAMPLES = "webhook:env:HOOK_URL, smtp:env:SMTP_URL:team@example.com or command:env:NOTIFY_COMMAND"
#: Events that people can ask for, with other ways to write them.
EVENTS = {str(event): event for event in Event if event != Event.TEST} | {
    "refused": Event.MODEL_REFUSED,
    "model-refused": Event.MODEL_REFUSED,
}
#: What a rule reports unless it says otherwise.
DEFAULT_EVENTS = (Event.LATE, Event.FAILED, Event.RECOVERED, Event.MODEL_REFUSED, Event.ERRORS)
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_ADDRESS = re.compile(r"[^\s@,:<>\"]+@[^\s@,:<>\"]+")


class Channel(StrEnum):
    """How a message travels."""

    SMTP = "smtp"
    WEBHOOK = "webhook"
    COMMAND = "command"


@dataclass(frozen=True, slots=True)
class Destination:
    """Where a message goes."""

    channel: Channel
    #: The environment variable with the URL, or with the command line.
    variable: str
    #: Addresses of mail.
    recipients: tuple[str, ...] = ()

    def __str__(self) -> str:
        addresses = f":{','.join(self.recipients)}" if self.recipients else ""
        return f"{self.channel}:env:{self.variable}{addresses}"


def parse(text: str) -> Destination:
    """`webhook:env:NAME`, `command:env:NAME` or `smtp:env:NAME:ADDRESS,ADDRESS`; ValueError for anything else. The
    text is repeated only if it holds no URL, since that may hold a password."""
    channel, _, rest = text.strip().partition(":")
    if channel not in list(Channel):
        shown = f" {channel!r}" if "/" not in channel and len(channel) < 30 else ""
        raise ValueError(f"destination{shown} is unknown: write {EXAMPLES}")
    env, _, rest = rest.partition(":")
    variable, _, addresses = rest.partition(":")
    if env != "env" or not _VARIABLE.fullmatch(variable):
        raise ValueError(
            f"destination {channel}: write the name of an environment variable that holds the URL or the command, "
            f"not the value itself: {EXAMPLES}"
        )
    recipients = tuple(address.strip() for address in addresses.split(",") if address.strip())
    if channel == Channel.SMTP and not recipients:
        raise ValueError(f"destination {text!r} names nobody: write smtp:env:{variable}:team@example.com")
    if channel != Channel.SMTP and recipients:
        raise ValueError(f"destination {text!r}: only smtp has recipients; write {channel}:env:{variable}")
    for address in recipients:
        if not _ADDRESS.fullmatch(address):
            raise ValueError(f"{address!r} is no mail address")
    return Destination(Channel(channel), variable, recipients)


def events(text: str) -> tuple[Event, ...]:
    """The events of `--notify`, as "late,failed"; ValueError for one that does not exist."""
    names = [" ".join(name.split()).lower() for name in text.split(",")]
    for name in names:
        if name not in EVENTS:
            raise ValueError(f"there is no event {name!r}: {', '.join(map(str, DEFAULT_EVENTS))}")
    return tuple(dict.fromkeys(EVENTS[name] for name in names))


def rules(notify: str | None, to: list[str]) -> list[Rule]:
    """The rules that `--notify EVENTS --to DESTINATION --to ...` mean; without events, all of them are told."""
    if notify is not None and not to:
        raise ValueError(f"--notify {notify} needs a destination: --to {EXAMPLES}")
    told = events(notify) if notify is not None else DEFAULT_EVENTS
    return [Rule(str(parse(text)), told) for text in to]
