"""Batches of requests: what the scheduler does with the file of requests that a program has uploaded.

    endpoints    which kind stands for which path
    checking     the lines of a file, and whether they are requests
    reading      phase 1: check every line; one bad line fails the batch before anything is run
    inputs       what a request asks for, and its inputs as documents
    adding       phase 2: the texts of the lines become documents, and lines with equal parameters a group
    submitting   phase 3: a job for each group
    writing      last phase: an answer for each line, in the output file or in the error file
    answers      the lines of those files
    moving       the next step of a batch; scheduler.loop.batches calls it

Each part is one short transaction that also notes how far it is, so that whoever comes next goes on there. HTTP is in
docmill.web.openai_api.
"""
