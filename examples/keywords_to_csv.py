"""Write the keywords of a collection to a CSV file.

With `docmill up` running in another terminal:

    python examples/keywords_to_csv.py keywords.csv
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path

from docmill import Client


def main(target: Path) -> None:
    with Client() as client:
        client.add(Path(__file__).parent / "documents" / "news.jsonl", collection="example-keywords")
        job = client.submit("keywords", collection="example-keywords", parameters={"top": 3})
        job.wait(timeout_seconds=600)
        with target.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, fieldnames=["document_key", "rank", "term", "score"])
            writer.writeheader()
            writer.writerows(job.results())
    print(f"wrote {target}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
