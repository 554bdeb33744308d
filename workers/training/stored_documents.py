"""The documents of a training job, as trainers read them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from db import documents, labels
from db.store import Store
from nlp_tasks import heartbeat
from nlp_tasks.kind import Document
from readers import label_text as label_texts


@dataclass(frozen=True)
class StoredDocuments:
    """The documents of a training job, read from the store a batch at a time, as often as wanted. A given
    label takes precedence over the one that came with the document."""

    store: Store
    ids: Sequence[int]
    with_meta: bool = False

    def __len__(self) -> int:
        return len(self.ids)

    def __iter__(self) -> Iterator[Document]:
        with self.store.read() as session:
            given = labels.of_documents(session, self.ids)
            for row in documents.stream(session, self.ids, with_meta=self.with_meta):
                label = _text_of(given[row.id]) if row.id in given else row.label
                heartbeat.beat()
                yield Document(row.id, row.key, row.text, label, meta=row.meta)


def _text_of(given: tuple[str, ...]) -> str:
    return given[0] if len(given) == 1 else label_texts.canonical(given)
