"""The lines of runs as JSON, one an event, on stdout: a handler that `dagster.yaml` names.

Dagster's own text goes on on stderr. A step's stdout goes into a file of its own while it runs, so
the lines take the way that the process had when it started.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Mapping
from datetime import datetime, timezone
from functools import cache
from typing import TYPE_CHECKING, Any, TextIO

from atlas_dagster.logs import exception_place, line_writer, log_format

if TYPE_CHECKING:
    from dagster import DagsterEvent

_STREAM_STEPS = ("explore", "pii", "chart", "checks", "navigate", "history")
_SYNC_STEP = "sync_"


class RunLines(logging.Handler):
    """Writes a line for each record of a run where ATLAS_LOG_FORMAT is json, and else nothing."""

    def __init__(self, level: int | str = logging.NOTSET) -> None:
        super().__init__(level)
        self._sink = _stdout() if log_format() == "json" else None

    def emit(self, record: logging.LogRecord) -> None:
        """Write the line; what goes wrong with it stops no run."""
        if self._sink is None:
            return
        try:
            self._sink.write(f"{run_line(record)}\n")
            self._sink.flush()
        except (OSError, ValueError):
            self.handleError(record)


def run_line(record: logging.LogRecord) -> str:
    """A record of a run as a JSON object.

    It has time, level, logger and message, and where they are known run_id, job, step, connection,
    stream, event (Dagster's type), and of a failure its error: what the innermost exception said.
    """
    known: Mapping[str, Any] = getattr(record, "dagster_meta", {})
    event: DagsterEvent | None = known.get("dagster_event")
    step = known.get("step_key")
    connection, stream = _about(event, step)
    line: dict[str, object | None] = {
        "time": datetime.fromtimestamp(record.created, timezone.utc).isoformat(),
        "level": record.levelname,
        "logger": record.name,
        "message": known.get("orig_message") or record.getMessage(),
        "run_id": known.get("run_id"),
        "job": known.get("job_name"),
        "step": step,
        "connection": connection,
        "stream": stream,
        "event": event.event_type_value if event else None,
        "error": _error(event),
        "exception": exception_place(record.exc_info) if record.exc_info else None,
    }
    return json.dumps({k: v for k, v in line.items() if v is not None}, ensure_ascii=False)


def _about(event: DagsterEvent | None, step: str | None) -> tuple[str | None, str | None]:
    """Connection and stream, by the asset of an event, else by the name of the step."""
    key = event.asset_key if event else None
    parts = tuple(key.path) if key else tuple((step or "").split("__"))
    if len(parts) == 3 and (key or parts[0] in _STREAM_STEPS):
        return parts[1], parts[2]
    if step and step.startswith(_SYNC_STEP):
        return step.removeprefix(_SYNC_STEP), None
    return None, None


def _error(event: DagsterEvent | None) -> str | None:
    error = getattr(event.event_specific_data, "error", None) if event else None
    while error is not None and error.cause is not None:
        error = error.cause
    return error.message.strip() if error is not None else None


@cache
def _stdout() -> TextIO:
    """The stdout of this process, for as long as it lives."""
    return line_writer(sys.__stdout__.fileno() if sys.__stdout__ else 1)
