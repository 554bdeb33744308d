"""The package transformers: imported on use, and limited to local folders."""

from __future__ import annotations

from types import ModuleType

from nlp_tasks.errors import NlpError

#: Arguments of every `from_pretrained`: nothing is downloaded, and code that comes with a model is never run.
OFFLINE = {"local_files_only": True, "trust_remote_code": False}


def library(wanted_by: str, error: type[NlpError]) -> ModuleType:
    """The package. Raises `error`, which says who needs it and how to install it, if it is missing."""
    try:
        import transformers  # type: ignore[import-not-found, unused-ignore]
    except ImportError as missing:
        message = f"{wanted_by} needs the package transformers on the workers: pip install transformers"
        raise error(message) from missing
    transformers.utils.logging.disable_progress_bar()  # type: ignore[no-untyped-call, unused-ignore]
    return transformers  # type: ignore[no-any-return, unused-ignore]
