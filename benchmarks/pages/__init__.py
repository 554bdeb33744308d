"""The pages over a large store: their time, their queries, many clients at once, and live progress."""
