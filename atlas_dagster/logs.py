"""What our own processes log: a line a record, as text or, where ATLAS_LOG_FORMAT says so, JSON.

Lines are UTF-8 whatever the locale; half a surrogate pair, which is none, is told by its escape.

Of an exception the line has type and place, not its text nor its trace, which may hold values.
"""

from __future__ import annotations

import json
import logging
import os
import re
from collections.abc import Mapping
from datetime import datetime, timezone
from types import TracebackType
from typing import TextIO

from atlas_dagster.errors import ConfigError

FORMAT_NAME = "ATLAS_LOG_FORMAT"
FORMATS = ("text", "json")

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")

ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]


class TextLine(logging.Formatter):
    """Time, level and message; what would end the line or move a cursor is told by its escape."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        line = f"{self.formatTime(record)} {record.levelname} {record.getMessage()}"
        if record.exc_info:
            line += f": {exception_place(record.exc_info)}"
        return _CONTROL.sub(_escape, line)


class JsonLine(logging.Formatter):
    """An object with time (UTC, ISO 8601), level, logger and message, and what is known beside it.

    What a caller names by ``extra={"atlas": {…}}`` stands beside them: connection, stream, run_id.
    """

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, timezone.utc).isoformat(),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["exception"] = exception_place(record.exc_info)
        known: Mapping[str, object] = getattr(record, "atlas", {})
        return json.dumps({**line, **known}, ensure_ascii=False, default=str)


def exception_place(info: ExcInfo) -> str:
    """An exception by its type, and the file and line that raised it."""
    kind, _, trace = info
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = f" at {trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace else ""
    return f"{kind.__name__ if kind else 'nothing'}{place}"


def log_format(environ: Mapping[str, str] | None = None) -> str:
    """What the environment (``os.environ`` unless given) wants lines to be: ``text`` or ``json``.

    Raises ConfigError where it is neither.
    """
    value = (os.environ if environ is None else environ).get(FORMAT_NAME) or FORMATS[0]
    if value not in FORMATS:
        raise ConfigError(f"{FORMAT_NAME}: expected text or json, found {value!r}")
    return value


def configure_logging() -> None:
    """Let a process of ours log to stderr, from INFO on, in the format that is set."""
    handler = logging.StreamHandler(line_writer(2))
    handler.setFormatter(JsonLine() if log_format() == "json" else TextLine())
    logging.root.handlers = [handler]
    logging.getLogger("atlas_dagster").setLevel(logging.INFO)


def line_writer(descriptor: int) -> TextIO:
    """A file of its own that writes lines to where a descriptor leads now."""
    copy = os.dup(descriptor)
    return os.fdopen(copy, "w", buffering=1, encoding="utf-8", errors="backslashreplace")


def _escape(found: re.Match[str]) -> str:
    return found.group().encode("unicode_escape").decode()
