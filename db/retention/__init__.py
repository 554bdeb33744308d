"""Retention: what is old and superseded goes, in small steps. What a view shows stays, and what goes is counted.

    policy      what may go, as people write it
    outcomes    outcomes of old jobs with their results, where a newer job has the document too
    chunks      lists of document numbers of old jobs
    texts       texts of old versions of documents, with their vectors
    models      files and vectors of model versions, and vectors of versions that are not in use
    nights      nights and their plans
    notifications  those that were sent or given up
    exports     what exports of changed rows remember
    batches     batches of requests, and uploaded files
    runs        runs of schedules
    passes      whose turn it is, and what each pass pruned

Each of these has a function `step` that looks at some rows, prunes what may go (or only counts it), and says where the
next step begins.
"""
