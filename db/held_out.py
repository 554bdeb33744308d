"""Whether a model was measured on enough held-out documents to trust its figures."""

from __future__ import annotations

from collections.abc import Mapping

#: With 30 documents, the 95% interval of an accuracy reaches up to 18 points to either side. Fewer tell almost nothing.
ENOUGH_DOCUMENTS = 30


def are_few(metrics: Mapping[str, float]) -> bool:
    """Whether a model was measured on held-out documents, and on too few."""
    return metrics.get("n_held_out", ENOUGH_DOCUMENTS) < ENOUGH_DOCUMENTS


def doubt(metrics: Mapping[str, float]) -> str:
    """ "measured on 2 documents: too few to tell how good it is (30 would do)"; nothing where there is no doubt."""
    if not are_few(metrics):
        return ""
    n = metrics["n_held_out"]
    documents = f"{n:.0f} document{'' if n == 1 else 's'}"
    return f"measured on {documents}: too few to tell how good it is ({ENOUGH_DOCUMENTS} would do)"
