"""Whose fault an exception is: the document's, the device's, or the infrastructure's."""

from __future__ import annotations

import errno
import re
import traceback

from sqlalchemy.exc import SQLAlchemyError

from db.database_errors import words
from db.errors import FencedError, StoreError
from db.states import ErrorCode
from nlp_tasks.errors import DocumentError, ModelFileError, ModelServerError, StorageError
from workers.running.lease import StopRequestedError

_OUT_OF_MEMORY = re.compile(r"out of memory|can't allocate memory|CUBLAS_STATUS_ALLOC_FAILED", re.IGNORECASE)
#: After one of these errors every later call on the device fails too: the process has to end.
_STICKY = re.compile(
    r"device-side assert|illegal memory access|unspecified launch failure|CUDA error: (?!out of memory)"
    r"|uncorrectable ECC|CUDNN_STATUS_EXECUTION_FAILED",
    re.IGNORECASE,
)

#: The device itself is at fault, whatever was run on it.
_DEVICE_FAULT = re.compile(
    r"ECC error|uncorrectable ECC|GPU is lost|device (is )?lost|no CUDA-capable device|No CUDA GPUs are available"
    r"|all CUDA-capable devices are busy or unavailable|CUDA unknown error|CUDA error: unknown error"
    r"|CUDA driver initialization failed|driver shutting down|system not yet initialized|hardware stack error"
    r"|Nvlink error|NVLink|MPS (client|server)|\bXid\b",
    re.IGNORECASE,
)
#: What was run is at fault: a kernel checked its input and stopped.
_PROGRAMS = re.compile(r"device-side assert|misaligned address|illegal instruction", re.IGNORECASE)

#: Errors whose message is docmill's own, and quotes no document.
_OURS = (ModelFileError, ModelServerError, StorageError, StoreError)

#: Errors of the operating system for which the machine is at fault, not the input.
_MACHINE_ERRNOS = {
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EIO,
    errno.EROFS,
    errno.ESTALE,
    errno.EMFILE,
    errno.ENFILE,
}


def is_out_of_memory(error: BaseException) -> bool:
    """Whether memory ran out, on the host or the device: a smaller batch may fit."""
    return isinstance(error, MemoryError) or (
        isinstance(error, RuntimeError) and bool(_OUT_OF_MEMORY.search(str(error)))
    )


def is_sticky(error: BaseException) -> bool:
    """Whether this process cannot use the device any more."""
    return (
        isinstance(error, RuntimeError) and not is_out_of_memory(error) and bool(_STICKY.search(str(error)))
    )


def is_device_fault(error: BaseException) -> bool:
    """Whether the device has failed, whatever was run on it: it is lost, or its memory is."""
    return (
        isinstance(error, RuntimeError)
        and not is_out_of_memory(error)
        and bool(_DEVICE_FAULT.search(str(error)))
    )


def is_the_programs(error: BaseException) -> bool:
    """Whether a kernel stopped because of what it was given: a sound device does that too."""
    return isinstance(error, RuntimeError) and bool(_PROGRAMS.search(str(error)))


def is_not_the_documents(error: BaseException) -> bool:
    """Whether no document is to blame: store, model files, a lost lease, a stop, a broken device. An error of the
    database while a runner reads from it is never about the documents that are run."""
    return (
        isinstance(error, (*_OURS, FencedError, StopRequestedError, SQLAlchemyError))
        or is_sticky(error)
        or is_device_fault(error)
        or (isinstance(error, OSError) and error.errno in _MACHINE_ERRNOS)
    )


def as_document_error(error: Exception) -> DocumentError:
    """The typed error that becomes a document's outcome. The message of an unexpected exception is cut: it may
    quote the text."""
    if isinstance(error, DocumentError):
        return error
    if is_out_of_memory(error):
        return DocumentError(ErrorCode.MEMORY, "this document alone needs more memory than the worker has")
    return DocumentError(ErrorCode.RUNNER_ERROR, f"{type(error).__name__}: {str(error)[:200]}")


def in_words(error: BaseException) -> str:
    """An exception for the store: docmill's own words as they are, others after their type."""
    said = words(error)[:500]
    return said if isinstance(error, _OURS) else f"{type(error).__name__}: {said}"


def in_public(error: BaseException) -> str:
    """An exception for logs and Flower: with its message where that is docmill's own, else by its type alone,
    since it may quote a document's text."""
    return f"{type(error).__name__}: {error}" if isinstance(error, _OURS) else type(error).__name__


def where(error: BaseException) -> str:
    """The same with its frames, for the log."""
    frames = "".join(traceback.format_tb(error.__traceback__))
    return f"{in_public(error)} at\n{frames}".rstrip()
