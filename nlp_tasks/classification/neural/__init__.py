"""Neural classifiers that are trained from scratch.

cnn.py, gru.py, lstm.py, transformer.py   the architectures: one encoder each
recurrent.py, pooling.py  what encoders share
classifier.py           training and prediction, the same for every encoder
network.py              the network around an encoder
word_ngrams.py          texts as words, and words as hashed n-grams
losses.py               the loss for one label, and for several
epochs.py               the training loop, used for fine-tuning, too
training_state.py       the state of the loop in a checkpoint
"""
