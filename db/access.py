"""Keys of the web server and sessions in browsers. Only hashes of secrets are stored."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import ColumnElement, delete, or_, select, update
from sqlalchemy.orm import Session

from db.errors import ConflictError, NotFoundError
from db.sql import now
from db.tables import AccessKey, WebSession

#: How a key begins, so that scanners for leaked secrets can find one.
PREFIX = "docmill_"
#: Characters of a key that are shown.
SHOWN = len(PREFIX) + 4
SESSION_SECONDS = 12 * 3600
#: `used_at` is written at most this often for each key.
USED_SECONDS = 3600


class Role(StrEnum):
    """What a key may do. Each may do what those before it may."""

    READ = "read"
    SUBMIT = "submit"
    OPERATE = "operate"

    def allows(self, wanted: Role) -> bool:
        """Whether this role is enough."""
        order = list(Role)
        return order.index(self) >= order.index(wanted)


@dataclass(frozen=True, slots=True)
class Access:
    """Somebody who showed a valid key or session."""

    name: str
    role: Role
    #: Of a session: what its forms must send. None for a key.
    form_token: str | None = None
    #: Of a key: it was not noted for an hour that it is used (`note_use`).
    use_is_due: bool = False


def create_key(session: Session, name: str, role: Role) -> str:
    """Make a key and return it; it cannot be shown again. ConflictError if the name is taken."""
    if session.scalar(select(AccessKey.id).where(AccessKey.name == name)) is not None:
        raise ConflictError(
            f"there is a key named {name!r} already: choose another name, or revoke it (docmill keys revoke)"
        )
    key = PREFIX + secrets.token_urlsafe(32)
    session.add(
        AccessKey(
            name=name,
            role=role,
            key_hash=_hash(key),
            beginning=key[:SHOWN],
        )
    )
    return key


def keys(session: Session) -> Sequence[AccessKey]:
    """Every key, also revoked ones, by name."""
    return session.scalars(select(AccessKey).order_by(AccessKey.name)).all()


def revoke_key(session: Session, name: str) -> None:
    """From now on neither the key nor the sessions that began with it are valid. NotFoundError without such a key."""
    found = session.scalar(select(AccessKey).where(AccessKey.name == name))
    if found is None:
        raise NotFoundError(f"there is no key named {name!r}: `docmill keys list` shows them")
    session.execute(update(AccessKey).where(AccessKey.id == found.id).values(revoked_at=now()))
    session.execute(delete(WebSession).where(WebSession.access_key_id == found.id))


def by_key(session: Session, key: str) -> Access | None:
    """Who has this key; None if it is unknown or revoked."""
    is_due = or_(AccessKey.used_at.is_(None), AccessKey.used_at < now(-USED_SECONDS))
    row = session.execute(select(AccessKey.name, AccessKey.role, is_due).where(*_is_valid(key))).one_or_none()
    return Access(row[0], Role(row[1]), use_is_due=bool(row[2])) if row is not None else None


def note_use(session: Session, name: str) -> None:
    """Write down that a key was used now."""
    session.execute(update(AccessKey).where(AccessKey.name == name).values(used_at=now()))


def begin_session(session: Session, key: str | None, role: Role = Role.OPERATE) -> str | None:
    """Sign in with a key, or without one in the given role; returns the cookie, or None if the key is not valid.
    Sessions that have expired are removed."""
    session.execute(delete(WebSession).where(WebSession.expires_at < now()))
    found = _key(session, key) if key is not None else None
    if key is not None and found is None:
        return None
    token = secrets.token_urlsafe(32)
    session.add(
        WebSession(
            token_hash=_hash(token),
            access_key_id=found.id if found is not None else None,
            role=found.role if found is not None else role,
            form_token=secrets.token_urlsafe(32),
            expires_at=now(SESSION_SECONDS),
        )
    )
    return token


def by_session(session: Session, token: str) -> Access | None:
    """Who signed in with this cookie; None if it is unknown or has expired."""
    row = session.execute(
        select(WebSession.role, WebSession.form_token, AccessKey.name)
        .outerjoin(AccessKey, AccessKey.id == WebSession.access_key_id)
        .where(WebSession.token_hash == _hash(token), WebSession.expires_at > now())
    ).one_or_none()
    return Access(row.name or "local", Role(row.role), row.form_token) if row is not None else None


def end_session(session: Session, token: str) -> None:
    """Sign out."""
    session.execute(delete(WebSession).where(WebSession.token_hash == _hash(token)))


def _key(session: Session, key: str) -> AccessKey | None:
    return session.scalar(select(AccessKey).where(*_is_valid(key)))


def _is_valid(key: str) -> tuple[ColumnElement[bool], ...]:
    return (AccessKey.key_hash == _hash(key), AccessKey.revoked_at.is_(None))


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()
