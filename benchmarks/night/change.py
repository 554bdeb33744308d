"""A night in which 1 % of many documents changed, beside a night of the 1 % alone; and whether it leaves the rows of a
full run."""

from __future__ import annotations

from typing import Any

from sqlalchemy import text

from benchmarks.night import nights, stores

NIGHT = """
name = "{name}"
collection = "{name}"
[[step]]
do = "summarize"
[[step]]
do = "keywords"
[[step]]
do = "classify"
model = "{model}"
"""
MODEL = """
name = "models"
collection = "labelled"
[[step]]
do = "train classify"
model = "{model}"
parameters = {{ gate = "none" }}
"""
N_LABELLED = 2_000
FACTOR = 3.0
#: Rows that tell two runs apart, in the order of the documents.
_ROWS = """
SELECT v.document_key, v.summary, (SELECT string_agg(k.term, '|' ORDER BY k.rank) FROM v_keywords k
       WHERE k.collection = v.collection AND k.document_key = v.document_key),
       (SELECT l.label FROM v_latest_label l WHERE l.collection = v.collection AND l.document_key = v.document_key)
FROM v_latest_summary v WHERE v.collection = :collection AND v.is_current AND v.document_key IN ({keys})
ORDER BY v.document_key
"""


def run(n_documents: int) -> tuple[dict[str, Any], dict[str, dict[str, float]]]:
    """Figures and bars."""
    n_changed = max(1, n_documents // 100)

    def changed(number: int) -> str:
        return f"It was changed. {nights.body(number)}"

    def of(name: str) -> str:
        return NIGHT.format(name=name, model="m")

    with nights.running("summarize,keywords,classify,train-classify") as (store, home):
        stores.add(store, "labelled", N_LABELLED, nights.body, label=lambda i: "odd" if i % 2 else "even")
        nights.night(store, MODEL.format(model="m"), home)
        stores.add(store, "many", n_documents, nights.body)
        full, _ = nights.night(store, of("many"), home)
        print(f"  all {n_documents:,}: {full:.1f} s")
        stores.add(store, "few", n_changed, changed)
        alone, _ = nights.night(store, of("few"), home)
        print(f"  {n_changed:,} alone: {alone:.1f} s")
        stores.add(store, "many", n_changed, changed)
        among, plan = nights.night(store, of("many"), home)
        print(f"  {n_changed:,} of {n_documents:,}: {among:.1f} s")
        assert sum(step.n_to_do for step in plan.steps) == 3 * n_changed
        assert _rows(store, "few", n_changed) == _rows(store, "many", n_changed), (
            "the rows differ from those of a full run"
        )
    figures = {"all": full, "1 % alone": alone, "1 % of all": among, "factor": among / alone}
    return figures, {"1 % of all documents beside 1 % alone": {"value": among / alone, "at_most": FACTOR}}


def _rows(store: Any, collection: str, n_changed: int) -> list[Any]:
    keys = ", ".join(f"'k{i}'" for i in range(min(500, n_changed)))
    with store.read() as session:
        return [
            tuple(row) for row in session.execute(text(_ROWS.format(keys=keys)), {"collection": collection})
        ]
