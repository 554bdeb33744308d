"""Requests about collections, documents and labels."""

from __future__ import annotations


def __getattr__(name):
    raise AttributeError(name)


def collections():
    raise NotImplementedError
