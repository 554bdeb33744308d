"""Train a classifier on labelled tickets, then label new texts with it.

With `docmill up` running in another terminal:

    python examples/train_and_classify.py
"""

from __future__ import annotations

from pathlib import Path

from docmill import Client

NEW = [
    {"id": "new-1", "text": "My parcel has not arrived, and the tracking page does not move."},
    {"id": "new-2", "text": "I was charged twice on my credit card."},
]


def main() -> None:
    with Client() as client:
        client.add(Path(__file__).with_name("tickets.csv"), collection="example-tickets")
        training = client.submit(
            "train-classify",
            collection="example-tickets",
            model="tickets",
            parameters={"arch": "naive-bayes"},  # quick to train; the default is more accurate
        )
        print(f"the training is {training.wait(timeout_seconds=600).state}")

        client.add_records(NEW, collection="example-new")
        job = client.submit("classify", collection="example-new", model="tickets")
        job.wait(timeout_seconds=600)
        for row in job.results():
            print(f"{row['document_key']}: {row['label']} ({row['score']:.2f})")


if __name__ == "__main__":
    main()
