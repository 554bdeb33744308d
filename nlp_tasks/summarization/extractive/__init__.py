"""Extractive summaries, made of a document's own sentences.

runner.py               the stage of `summarize`
prose_filter.py         which sentences may be in a summary; filings.py: the same for company filings
candidates.py           what is known of each sentence: its words, length, and what speaks against it
leaning.py, debris.py   sentences that lean on an earlier one, or are damaged
term_matrix.py          the terms of sentences, for a batch of documents
ranking.py              the importance of sentences: TextRank, LexRank, centroid, lead
selection.py            which sentences to take: the important ones, without repetition
extract.py              from the tokens of sentences to the chosen ones
"""
