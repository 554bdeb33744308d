"""Classifiers that start from a transformers model in a local folder.

encoder.py              the architecture `encoder`; logistic.py, vector_cache.py: its parts
pretrained.py           the architecture `pretrained`, and what all of them share: loading, windows, batches
fine_tuning.py          the training of `pretrained`
zero_shot.py            the architecture `zero-shot`, by natural language inference
zero_shot_embedding.py  `zero-shot` by embeddings
"""
