"""Who submits a job: a name that limits refer to. It is no proof of anything."""

from __future__ import annotations

import getpass
import os

MAX_CHARS = 200


def checked(name: str | None) -> str:
    """The name, or that of this process's user and host; ValueError for one that nobody could type."""
    if name is None:
        return this_process()
    if not name.strip() or len(name) > MAX_CHARS or not name.isprintable():
        raise ValueError(
            f"submitter {name!r} is no name: write 1 to {MAX_CHARS} characters, all of them visible"
        )
    return name.strip()


def this_process() -> str:
    """ "kim@host" """
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        # A container's user may have no name.
        user = str(os.getuid())
    return f"{user}@{os.uname().nodename}"
