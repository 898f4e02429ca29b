"""What clients of HTTP servers share: how often something is tried again, and what came instead."""

from __future__ import annotations

import contextlib
import random
from dataclasses import dataclass
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime

import httpx


@dataclass(frozen=True)
class Retries:
    """How often a request is sent at most, and how long it is waited between.

    The wait is random between half and all of ``first_seconds`` doubled each time, up to
    ``most_seconds``; where the server names one (Retry-After), it is that one, unless it is longer
    than ``patience_seconds``: then the request has failed.
    """

    most: int = 5
    first_seconds: float = 0.5
    most_seconds: float = 15.0
    patience_seconds: float = 120.0

    def wait(self, failed: int, named: float | None) -> float | None:
        """Seconds to wait after so many failures; None: no more tries."""
        if failed >= self.most or (named is not None and named > self.patience_seconds):
            return None
        if named is not None:
            return named
        longest = min(self.most_seconds, self.first_seconds * 2 ** (failed - 1))
        return longest * random.uniform(0.5, 1.0)


DEFAULT_RETRIES = Retries()


def retry_after(response: httpx.Response) -> float | None:
    """Seconds that the server asks to wait: it names a number, or a date."""
    text = response.headers.get("Retry-After", "").strip()
    if text.isdigit():
        return float(text)
    with contextlib.suppress(ValueError, TypeError):
        date = parsedate_to_datetime(text)
        return max(0.0, (date - datetime.now(timezone.utc)).total_seconds())
    return None


def kind(response: httpx.Response) -> str:
    """What an answer is that should have been a JSON object."""
    if 300 <= response.status_code < 400:
        return f"a redirect ({response.status_code})"
    text = response.text.lstrip()[:1]
    return "HTML, not JSON" if text == "<" else "what is no JSON object"
