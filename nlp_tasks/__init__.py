"""The NLP: text analysis, summaries, labels, similarity. Pure: no Celery, no SQL, no Redis, no environment."""
