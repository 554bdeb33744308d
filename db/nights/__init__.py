"""Nights: what each document is to a step (verdicts), the plans that were made of it, the nights that apply them, and
how fast work went (throughput).

    night:  planning ──▶ running ──▶ done, failed, cancelled
                            └──▶ stopping ──▶ carried over
    step:   waiting ──▶ running ──▶ done, failed, cancelled, carried over
               └──▶ skipped, failed, cancelled, carried over

Each transition is a compare-and-set, so that any number of schedulers may work on a night.
"""
