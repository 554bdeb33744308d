"""Requests of programs that may be sent twice, with their answers."""

from __future__ import annotations

from sqlalchemy.orm import Mapped, mapped_column

from db.tables.base import Base, CreatedAt


class IdempotentRequest(Base):
    """A request with an idempotency key. Written in the transaction that carried it out."""

    __tablename__ = "idempotent_request"

    #: The name of the access key; "local" for whoever started the server.
    owner: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    #: SHA-256 of method, path and body.
    digest: Mapped[str]
    #: The answer; NULL only inside the transaction.
    status: Mapped[int | None]
    answer: Mapped[str | None]
    created_at: Mapped[CreatedAt] = mapped_column(index=True)
