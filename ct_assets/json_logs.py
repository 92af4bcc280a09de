"""Logs as JSON, one line per record: which collection, series, stage and run it is about, so that they can be searched.

`dagster.yaml` has every process that works on a run write to `<CT_ASSETS_STATE>/logs/ct-assets.jsonl`.
"""

import io
import json
import logging
import logging.handlers
import re
import traceback
from datetime import UTC, datetime
from typing import Any

from ct_assets.settings import settings
from ct_assets.step_name import place_of

FILE_NAME = "ct-assets.jsonl"
"""The file, in the folder `logs` of Dagster's state."""

FIELDS = ("collection", "series", "stage", "run")
"""What a record is about; `extra` of a call may give them."""

_LONGEST = 8000


class JsonFormatter(logging.Formatter):
    """Formats a record, of Dagster or of any logger, as one line of JSON in ASCII."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, without its end."""
        meta: dict[str, Any] = getattr(record, "dagster_meta", {})
        event = meta.get("dagster_event")
        place = place_of(meta.get("step_key"), meta.get("job_name"))
        about = {
            "collection": place.collection,
            "series": (meta.get("job_tags") or {}).get("dagster/partition"),
            "stage": place.stage,
            "run": meta.get("run_id"),
        }
        content = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            **{name: getattr(record, name, about[name]) for name in FIELDS},
            "job": meta.get("job_name"),
            "step": meta.get("step_key"),
            "event": event.event_type_value if event is not None else None,
            "message": (meta.get("orig_message") or record.getMessage())[:_LONGEST],
            "error": _raised(record) or _of_event(event),
        }
        return json.dumps({name: value for name, value in content.items() if value is not None or name in FIELDS})


class StateFile(logging.handlers.WatchedFileHandler):
    """Appends to the file in Dagster's state; many processes may, and logrotate may move it away at any time.

    A log that cannot be written stops no run: what is wrong goes to the standard error.
    """

    def __init__(self) -> None:
        self._folder = settings().state / "logs"
        super().__init__(self._folder / FILE_NAME, encoding="utf-8", delay=True)
        self.setFormatter(JsonFormatter())

    def emit(self, record: logging.LogRecord) -> None:
        """Append a record."""
        try:
            super().emit(record)
        except OSError:  # of opening the file; what writing raises is handled above
            self.handleError(record)

    def _open(self) -> io.TextIOWrapper:
        """Open the file so that a record is one write: the kernel keeps those of several processes apart."""
        self._folder.mkdir(parents=True, exist_ok=True)
        raw = (self._folder / FILE_NAME).open("ab", buffering=0)
        return io.TextIOWrapper(raw, encoding="utf-8", write_through=True)


def _raised(record: logging.LogRecord) -> dict[str, str] | None:
    if not record.exc_info or record.exc_info[1] is None:
        return None
    error = record.exc_info[1]
    return {
        "class": type(error).__name__,
        "text": str(error)[:_LONGEST],
        "stack": "".join(traceback.format_exception(error))[-_LONGEST:],
    }


def _of_event(event: Any) -> dict[str, str] | None:
    """Return the error of one of Dagster's events, without what Dagster wraps around it."""
    error = getattr(getattr(event, "event_specific_data", None), "error", None)
    while error is not None and error.cause is not None and str(error.cls_name).startswith("Dagster"):
        error = error.cause
    if error is None:
        return None
    # Python's way to write an error: its class, with the module where it is no builtin, and what it says.
    text = re.sub(rf"^(?:[\w.]+\.)?{re.escape(str(error.cls_name))}: ", "", error.message.strip())
    return {"class": str(error.cls_name), "text": text[:_LONGEST]}
