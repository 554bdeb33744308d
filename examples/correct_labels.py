"""Correct a label by hand and train again: the new version learns from the correction.

With `docmill up` running in another terminal:

    python examples/correct_labels.py

A label that a person sets overrides the label that came with the document, and a model's.
"""

from __future__ import annotations

from pathlib import Path

from docmill import Client


def train(client: Client) -> None:
    parameters = {"arch": "naive-bayes"}  # quick to train; the default is more accurate
    job = client.submit(
        "train-classify", collection="example-corrected", model="corrected", parameters=parameters
    )
    ended = job.wait(timeout_seconds=600)
    print(f"corrected@{ended.model_version}")


def main() -> None:
    with Client() as client:
        client.add(Path(__file__).with_name("tickets.csv"), collection="example-corrected")
        train(client)
        client.set_label("delivery-en-14", "account", collection="example-corrected")
        train(client)
        print(client.sql("SELECT count(*) AS corrections FROM given_label"))


if __name__ == "__main__":
    main()
