"""What can go wrong in the NLP, sorted by who is to blame: a document, the training data, or a model's files."""


class NlpError(Exception):
    """Root of the errors that nlp_tasks raises on purpose."""


class DocumentError(NlpError):
    """One document cannot be worked on. It becomes that document's outcome, by `code`; it is not retried.

    `code` is a short UPPER_SNAKE word that people filter by; `detail` says in a sentence what was seen
    (never the text itself).
    """

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail


class TrainingError(NlpError):
    """The documents of a training job cannot make a model; the message says why and what would help."""


class StorageError(NlpError):
    """The folder of a job's files is not there on this machine: no file is to blame. Retried."""


class ModelFileError(NlpError):
    """A model's file is missing, truncated or altered: the machine's fault, never the document's. Retried."""
