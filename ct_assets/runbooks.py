"""Which page of docs/runbooks/ tells what to do about an error."""

from collections.abc import Iterable
from dataclasses import dataclass

FOLDER = "docs/runbooks"
"""Where the pages are, seen from the checkout."""


@dataclass(frozen=True)
class Runbook:
    """A page, what it is about in a few words, and how its errors are known: by class, or by a part of their text."""

    page: str
    title: str
    classes: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()

    @property
    def path(self) -> str:
        """The page, seen from the checkout."""
        return f"{FOLDER}/{self.page}.md"


RUN_FAILED = Runbook("run-failed", "a run failed")
"""The page for an error that no other page knows."""

FAILED_TOO_OFTEN = Runbook("series-failed-too-often", "a series failed so often that the schedule leaves it out")
"""The page for a series of which the schedule does not ask any more."""

WEBHOOK_FAILING = Runbook("webhook-failing", "alarms do not arrive", classes=("WebhookError",))
"""The page for alarms that do not arrive."""

RUNBOOKS = (
    WEBHOOK_FAILING,
    Runbook(
        "disk-full",
        "a disk is full",
        classes=("NoSpaceError",),
        texts=("No space left on device", "Disk quota exceeded", "database or disk is full", "No space left"),
    ),
    Runbook(
        "gpu-out-of-memory",
        "a GPU has too little memory",
        classes=("GpuMemoryError", "OutOfMemoryError"),
        texts=("CUDA out of memory",),
    ),
    Runbook("model-process-died", "the process of a model ended", classes=("ModelProcessDiedError",)),
    Runbook("models-unreachable", "the models cannot be reached", classes=("ComputeUnavailableError",)),
    Runbook(
        "model-missing", "a model is not installed or not usable", classes=("ModelMissingError", "ModelFormatError")
    ),
    Runbook(
        "dicom-source-unreachable",
        "the DICOM source is not within reach",
        classes=(
            "SourceUnavailableError",
            "FetchFailedError",
            "UnreachableError",
            "NoAnswerError",
            "TransientError",
            "AccessRefusedError",
            "MissingObjectError",
            "RemoteError",
        ),
        texts=("has gone since cohort_table was made", "Stale file handle", "Transport endpoint is not connected"),
    ),
    Runbook(
        "database-unreachable",
        "Dagster's database does not answer",
        classes=("OperationalError", "InterfaceError"),
        texts=("database is locked", "too many connections"),
    ),
    Runbook(
        "damaged-file-in-store",
        "a file in the store is damaged or of another version",
        classes=("RecordError", "ImageFileError", "ArrowInvalid", "EOFError", "BadGzipFile"),
        texts=("is damaged or of another version", "materialize the asset again", "Input/output error"),
    ),
    Runbook(
        "run-lost",
        "a run ended without saying why",
        texts=(
            "Detected run worker status",
            "Run timed out due to taking longer than",
            "has exceeded maximum runtime",
            "Exceeded maximum runtime",
            "marked as failed from outside the execution context",
            "being forcibly marked as failed",
        ),
    ),
    FAILED_TOO_OFTEN,
    RUN_FAILED,
)
"""All pages, from the special to the general: the first that knows an error is the one."""


def runbook_for(classes: Iterable[str], texts: Iterable[str]) -> Runbook:
    """Return the page for an error.

    Parameters
    ----------
    classes : iterable of str
        Names of the classes of the error and of its causes, without their modules.
    texts : iterable of str
        What they say.
    """
    classes, texts = set(classes), tuple(texts)
    for runbook in RUNBOOKS:
        if classes & set(runbook.classes) or any(part in text for part in runbook.texts for text in texts):
            return runbook
    return RUN_FAILED
