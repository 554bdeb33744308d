"""Train a similarity model on a collection, and print each document's nearest neighbour with the words they share.

With `docmill up` running in another terminal:

    python examples/similar_documents.py
"""

from __future__ import annotations

from pathlib import Path

from docmill import Client


def main() -> None:
    with Client() as client:
        client.add(Path(__file__).parent / "documents" / "news.jsonl", collection="example-news")
        training = client.submit("train-similarity", collection="example-news", parameters={"epochs": 100})
        # `after` lets the second job start by itself when the first has finished.
        job = client.submit(
            "similarity",
            collection="example-news",
            parameters={"k": 1, "terms": 3},
            after=training.id,
        )
        job.wait(timeout_seconds=600)
        for row in job.results():
            print(f"{row['document_key']} ~ {row['neighbour_key']} ({row['score']:.2f})")
        shared = [row["term"] for row in job.results("neighbour_term")]
        print(f"some shared words: {', '.join(shared[:5])}")


if __name__ == "__main__":
    main()
