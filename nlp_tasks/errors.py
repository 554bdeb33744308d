"""The errors of nlp_tasks, by their cause: a document, the training data, or the files of a model."""


class NlpError(Exception):
    """Base class of the errors that nlp_tasks raises."""


class DocumentError(NlpError):
    """A document cannot be processed. The error is the outcome of the document; it is not retried.

    `code` is a short UPPER_SNAKE word to filter by; `detail` describes the problem in a sentence (without the text
    itself).
    """

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail


class TrainingError(NlpError):
    """No model can be trained on the documents of a job; the message says why, and what to do about it."""


class StorageError(NlpError):
    """The folder of a job's files is not there on this machine: no file is to blame. Retried."""


class ModelServerError(NlpError):
    """A model server cannot be reached or used. Never the fault of a document; the chunk is retried."""


class ModelFileError(NlpError):
    """A file of a model is missing, truncated or changed. Never the fault of a document; the chunk is retried."""
