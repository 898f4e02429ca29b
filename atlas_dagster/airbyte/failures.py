"""Why a connector failed: what it says of it, as an error of a run repeats it."""

from __future__ import annotations

from collections.abc import Sequence

from atlas_dagster.airbyte.config_store import Scrubber
from atlas_dagster.airbyte.protocol import TraceError

ERROR_LEVELS = ("ERROR", "FATAL")
LONGEST = 400
_GENERIC = "Something went wrong in the connector"  # the CDK's, of any exception
_STACK = "Traceback (most recent call last)"


def failure_reason(error: TraceError | None, last_words: Sequence[str], scrub: Scrubber) -> str:
    """The error that was written for people, else its cause, else the last line of errors.

    One line without secrets, of ``LONGEST`` characters at most.
    """
    told = [error.message, error.internal_message] if error else []
    texts = [text for text in told if text and not text.startswith(_GENERIC)]
    told_lines = (_telling(scrub(text)) for text in [*texts, *reversed(last_words)])
    reason = next((line for line in told_lines if line), "no reason given")
    return reason if len(reason) <= LONGEST else f"{reason[: LONGEST - 1]}…"


def _telling(text: str) -> str:
    """A text on one line; of a stack trace the last line, where the exception's text stands."""
    if _STACK in text:
        return text.rstrip().rpartition("\n")[2].strip()
    return " ".join(text.split())
