"""One spelling for each character: Unicode NFC (files from macOS spell Hangul in single letters, NFD)."""

from __future__ import annotations

import unicodedata


def nfc(text: str) -> str:
    """The text in NFC; most text is, and is handed back as it is."""
    return text if unicodedata.is_normalized("NFC", text) else unicodedata.normalize("NFC", text)
