"""Linear classifiers over hashed n-grams.

linear.py, naive_bayes.py, morphemes.py   the architectures
linear_model.py         the trained classifier that they share
hashing.py, ngrams.py   texts to counts of hashed n-grams
features.py             counts to tf-idf rows
solver.py, newton.py    linear SVM: the problem, and Newton's method
sparse.py               sparse matrices in blocks
gram_matrix.py          few rows of many columns, reduced to as many columns as rows
cross_validation.py     scores of texts that a model was not fitted on
"""
