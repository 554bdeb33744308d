"""Makes a gazetteer of documents: the text of each is a name, its label is the entity's."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from nlp_tasks import model_files
from nlp_tasks.entities import TrainGazetteerParameters, gazetteer
from nlp_tasks.errors import TrainingError
from nlp_tasks.kind import Documents, Progress
from readers import label_text


def train(
    documents: Documents, parameters: TrainGazetteerParameters, model_dir: Path, progress: Progress
) -> dict[str, float]:
    """See kind.Train. Of a document with several labels, the first one counts."""
    names: list[tuple[str, str]] = []
    for number, document in enumerate(documents):
        if number % 100 == 0:
            progress(number, len(documents), "reading names")
        labels = label_text.each(document.label or "")
        if labels and labels[0] and len("".join(document.text.split())) >= parameters.least_chars:
            names.append((document.text, labels[0]))
    found = gazetteer.made_of(names)
    if not found.label_of:
        raise TrainingError(
            f"no name in {len(documents)} documents: each is a name of at most {gazetteer.MOST_NAME_CHARS} characters "
            "with a label (`docmill add names.csv --text-field name --label-field label`)"
        )
    found.save(model_dir)
    model_files.save(model_dir, {"arch": "gazetteer", "trained_with": asdict(parameters)}, {})
    return {
        "n_names": float(len(found.label_of)),
        "n_labels": float(len(set(found.label_of.values()))),
    }
