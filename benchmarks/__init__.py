"""Benchmarks. Each prints tables, then one line of JSON, and exits with 1 if a threshold is missed.

queue.py, cancel.py, end_to_end.py     the cost of the queue: throughput, cancelling, overhead over a bare loop
queue_peers/            the queue beside five others: speed, and what ten faults cost
no_op_kind.py, plain_celery.py, bare_loop.py   what they run and compare with
classification*.py      classifiers compared with fastText, scikit-learn and transformers
similarity*.py          similarity compared with gensim, faiss, tf-idf and LSA
summaries*.py           summaries compared with sumy, textrankr and transformers
odd_tokens.py, wrapped_lines.py        the effect of cleaning and of wrapped lines
gpu.py                  each kind of model on a GPU, beside what the device can do
release.py              runs all, and compares the figures with those of the last release (release.json)
report.py, servers.py   tables and thresholds; Redis and PostgreSQL
"""
