"""The views of what language models wrote; declared as in `db.views`."""

from __future__ import annotations

from collections.abc import Mapping

from db.view import DOCUMENT, View

#: Of all the results for a key, the newest version's from the newest job come first.
_NEWEST = "PARTITION BY d.collection_id, d.key ORDER BY d.version DESC, r.job_id DESC"

_GENERATION = f"""
SELECT collection, document_key, text, finish_reason, n_prompt_tokens, n_tokens, n_cut_chars, model, model_version,
       job_id, document_id, document_version, is_current
FROM (SELECT c.name AS collection, d.key AS document_key, r.text, r.finish_reason, r.n_prompt_tokens, r.n_tokens,
             r.n_cut_chars, COALESCE(m.name, r.model) AS model, v.version AS model_version, r.job_id, r.document_id,
             d.version AS document_version, d.is_latest AS is_current, ROW_NUMBER() OVER ({_NEWEST}) AS place
      FROM generation r JOIN document d ON d.id = r.document_id JOIN collection c ON c.id = d.collection_id
      JOIN job j ON j.id = r.job_id LEFT JOIN model_version v ON v.id = j.model_version_id
      LEFT JOIN model m ON m.id = v.model_id) newest
WHERE place = 1
"""  # noqa: S608 (constants only)

_GENERATION_FIELDS = f"""
SELECT collection, document_key, rank, path, type, text, number, boolean, job_id, document_id, document_version,
       is_current
FROM (SELECT c.name AS collection, d.key AS document_key, r.rank, r.path, r.type, r.text, r.number, r.boolean, r.job_id,
             r.document_id, d.version AS document_version, d.is_latest AS is_current, RANK() OVER ({_NEWEST}) AS place
      FROM generation_field r JOIN document d ON d.id = r.document_id JOIN collection c ON c.id = d.collection_id)
     newest
WHERE place = 1
"""  # noqa: S608

_ORIGIN = {
    "job_id": "the job that made this row",
    "document_id": "the version of the document that it was made from (`document.id`)",
    "document_version": "number of that version; the first one is 1",
    "is_current": "false if the document's text has changed since",
}

GENERATION_VIEWS: Mapping[str, View] = {
    "v_generation": View(
        about="What a language model wrote for each document, from the newest `generate` job.",
        query=_GENERATION,
        columns={
            **DOCUMENT,
            "text": "what the model wrote; with a schema, JSON",
            "finish_reason": "`stop`: the model ended the text, or a stop string did; `length`: it had `max_tokens`",
            "n_prompt_tokens": "tokens of the prompt; NULL if a server did not tell",
            "n_tokens": "tokens written; NULL if a server did not tell",
            "n_cut_chars": "characters at the end of the document that the prompt left out",
            "model": "name of the model, its folder, or what the server calls it",
            "model_version": "number of its version; NULL if docmill did not train it",
            **_ORIGIN,
        },
    ),
    "v_generation_fields": View(
        about="The values of each answer with a schema, from the newest `generate` job that had one.",
        query=_GENERATION_FIELDS,
        columns={
            **DOCUMENT,
            "rank": "1 for the first value of the answer",
            "path": "where it is in the answer: `amount`, `buyer.name`, `items[0].price`",
            "type": "`text`, `number`, `boolean`, `null`; `object` or `array` for an empty one",
            "text": "the value, if it is a text",
            "number": "the value, if it is a number",
            "boolean": "the value, if it is true or false",
            **_ORIGIN,
        },
    ),
}
