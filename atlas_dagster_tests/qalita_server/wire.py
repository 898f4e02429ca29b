"""The troubles that the test's QALITA may give."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from atlas_dagster.qalita.sandbox.wire import Answer, detail


@dataclass(frozen=True)
class After:
    """Do what the request asks, and answer this."""

    answer: Answer


@dataclass(frozen=True)
class Lose:
    """Close the connection without an answer, after the deed or instead of it."""

    after: bool = True


@dataclass(frozen=True)
class Hang:
    """Do what the request asks, and keep its answer back until the test ends."""


@dataclass(frozen=True)
class Late:
    """Give no answer; do what the request asks when ``now`` is set, and set ``done``."""

    now: threading.Event = field(default_factory=threading.Event)
    done: threading.Event = field(default_factory=threading.Event)


@dataclass(frozen=True)
class Cut:
    """Take only the first items of an upload, and fail then."""

    items: int


@dataclass(frozen=True)
class Do:
    """Do something first; the request is answered as always."""

    deed: Callable[[], object]


Trouble = Answer | After | Lose | Hang | Late | Cut | Do


LOGIN_PAGE = Answer(200, b"<!doctype html><title>QALITA</title>", {"Content-Type": "text/html"})
BUSY = detail(503, "try again")
