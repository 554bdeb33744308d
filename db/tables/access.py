"""Who may use the web server: keys, and the sessions of people who signed in with one."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index, LargeBinary
from sqlalchemy.orm import Mapped, mapped_column

from db.tables.base import Base, CreatedAt, Id


class AccessKey(Base):
    """A key with its role. The key itself is nowhere: only its hash, and its first characters for people."""

    __tablename__ = "access_key"
    __table_args__ = (Index("ix_access_key_key_hash", "key_hash", unique=True),)

    id: Mapped[Id]
    name: Mapped[str] = mapped_column(unique=True)
    #: read, submit, operate: each may do what the one before it may.
    role: Mapped[str]
    #: SHA-256. A key is 256 random bits, so that no slower hash is needed.
    key_hash: Mapped[bytes] = mapped_column(LargeBinary)
    beginning: Mapped[str]
    created_at: Mapped[CreatedAt]
    #: To the hour.
    used_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]


class WebSession(Base):
    """A browser in which somebody signed in."""

    __tablename__ = "web_session"

    #: SHA-256 of the cookie.
    token_hash: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    #: NULL: signed in with the address that `docmill serve` printed.
    access_key_id: Mapped[int | None] = mapped_column(ForeignKey("access_key.id"), index=True)
    role: Mapped[str]
    #: Every form must send it.
    form_token: Mapped[str]
    created_at: Mapped[CreatedAt]
    expires_at: Mapped[datetime]
