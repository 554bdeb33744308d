"""Natural language processing: the kinds of jobs, and the text analysis that they share.

Knows nothing of Celery, SQL, Redis or environment variables.

The contract and its parts:

    kind.py                 what a kind of job is: parameters, result rows, stages, training, gate
    registry.py             the kinds that docmill brings
    parameters.py           parameters declared once, with type, range and help
    errors.py               the errors that a kind raises

A folder for each group of kinds:

    summarization/          `summarize` (extractive/, abstractive/) and `train-summarizer`
    classification/         `classify`, `shadow-classify` and `train-classify` (linear/, neural/, transformers/)
    similarity/             `similarity` and `train-similarity`
    keywords/               `keywords`
    evaluation/             `evaluate`

What they share:

    text.py                 words and morphemes
    sentences/              sentence boundaries
    addresses.py            links, file names, identifiers
    model_files.py          a trained model on disk
    checkpoint.py           the state of an unfinished training on disk
    heartbeat.py            heartbeats during long work
    batching.py             batches of items of similar length
    torch_device.py         random seeds and bfloat16 in torch
    local_transformers.py   the package transformers, offline
"""
