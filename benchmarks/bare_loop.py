"""A runner in a plain loop: what a model costs without docmill.

    python -m benchmarks.bare_loop MODEL_DIR TEXTS.jsonl

Prints the seconds that `run` takes for all texts, in the batches that a worker makes. The model is loaded and warmed up
before the clock starts.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from nlp_tasks.classification import CLASSIFY
from nlp_tasks.kind import Document, Setup
from workers.running.batches import by_length


def main(model_dir: Path, texts: Path) -> None:
    with texts.open(encoding="utf-8") as file:
        documents = [Document(i, str(i), json.loads(line)) for i, line in enumerate(file)]
    runner = CLASSIFY.stages[0].open(Setup(CLASSIFY.parameters(), model_dir=model_dir))
    runner.run(documents[:1000])
    size = CLASSIFY.chunk_documents
    started = time.perf_counter()
    for start in range(0, len(documents), size):
        for batch in by_length(documents[start : start + size], runner.batch_documents, runner.batch_chars):
            runner.run(batch)
    print(time.perf_counter() - started)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
