"""Copies of a whole store: a consistent snapshot while others write, and a snapshot back in its place.

snapshot.take       the store at one moment, as one file, and what it holds
snapshot.problem    whether such a file can be read
replacing           whether a store may be replaced, and the replacement
"""
