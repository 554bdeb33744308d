"""Unicode normalisation to NFC (files from macOS may have Hangul in NFD, as single letters)."""

from __future__ import annotations

import unicodedata


def nfc(text: str) -> str:
    """The text in NFC; returned as it is if it already is in NFC, as most text is."""
    return text if unicodedata.is_normalized("NFC", text) else unicodedata.normalize("NFC", text)
