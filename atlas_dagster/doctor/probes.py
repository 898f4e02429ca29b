"""What a probe finds, and how probes are run: each within a time of its own, none stops another."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from queue import Empty, SimpleQueue
from threading import Thread

from atlas_dagster.errors import AtlasError
from atlas_dagster.logs import exception_place


class Verdict(str, Enum):
    """How a thing is: ``warn`` is what works and may not go on to."""

    OK = "ok"
    WARN = "warn"
    FAIL = "FAIL"


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at: what was seen, and what to do where it is not as it should."""

    what: str
    verdict: Verdict
    text: str


@dataclass(frozen=True)
class Probe:
    """Something to look at; ``what`` is what it is called where it gives no answer."""

    what: str
    look: Callable[[], Iterator[Finding]]


def well(what: str, text: str) -> Finding:
    """What is as it should be."""
    return Finding(what, Verdict.OK, text)


def doubtful(what: str, text: str) -> Finding:
    """What is to be looked after."""
    return Finding(what, Verdict.WARN, text)


def wrong(what: str, text: str) -> Finding:
    """What does not work."""
    return Finding(what, Verdict.FAIL, text)


def examine(probes: Sequence[Probe], seconds: float) -> Iterator[Finding]:
    """Run probes one after the other, each for so many seconds at most."""
    for probe in probes:
        yield from _within(probe, seconds)


def _within(probe: Probe, seconds: float) -> Iterator[Finding]:
    """What a probe finds in time. One that hangs is left behind in its thread."""
    found: SimpleQueue[Finding | None] = SimpleQueue()
    Thread(target=_look, args=(probe, found), daemon=True).start()
    deadline = time.monotonic() + seconds
    while True:
        try:
            finding = found.get(timeout=max(0.0, deadline - time.monotonic()))
        except Empty:
            yield wrong(probe.what, f"no answer within {seconds:g} s")
            return
        if finding is None:
            return
        yield finding


def _look(probe: Probe, found: SimpleQueue[Finding | None]) -> None:
    try:
        for finding in probe.look():
            found.put(finding)
    except AtlasError as error:
        found.put(wrong(probe.what, str(error)))
    except Exception as error:  # noqa: BLE001 - whatever it is, the other probes go on
        found.put(wrong(probe.what, _reason(error)))
    finally:
        found.put(None)


def _reason(error: Exception) -> str:
    """What a server or the system said; of a fault of ours the place, as its text may be a value.

    SQLAlchemy has the error of the driver in ``orig``, drivers what PostgreSQL said in ``diag``.
    """
    diagnostics = getattr(getattr(error, "orig", error), "diag", None)
    said = getattr(diagnostics, "message_primary", None)
    if said:
        return f"PostgreSQL refuses it: {said}"
    if isinstance(error, OSError) and error.strerror:
        return ": ".join(filter(None, (str(error.filename or ""), error.strerror)))
    place = exception_place((type(error), error, error.__traceback__))
    return f"the probe failed: {place}"
