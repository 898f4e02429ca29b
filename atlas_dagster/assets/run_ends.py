"""The ends of runs in the event log, read by sensors that follow them."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import dagster as dg

SETTLE_SECONDS = 30.0
"""Event ids are given before their commit: a younger event may still be overtaken by another."""

RUNS_PER_QUERY = 50

FINISHED = (
    dg.DagsterEventType.RUN_SUCCESS,
    dg.DagsterEventType.RUN_FAILURE,
    dg.DagsterEventType.RUN_CANCELED,
)


@dataclass(frozen=True)
class RunEnd:
    """The event that ended a run; ``at`` is its time in seconds since 1970."""

    event_type: str
    storage_id: int
    run_id: str
    at: float
    job_name: str = ""


def settled() -> float:
    """Up to when events are settled, in seconds since 1970."""
    return time.time() - SETTLE_SECONDS


def ends_before(
    newest: float,
    instance: dg.DagsterInstance,
    after: Mapping[str, int],
    deadline: float,
    since: float | None = None,
) -> Iterator[RunEnd]:
    """Ends of runs, oldest first per type, until a deadline by the monotonic clock.

    ``after`` holds the last event that was read, by type; of a type without one, all are read that
    are younger than ``since``.
    """
    for event_type in FINISHED:
        last = after.get(event_type.value)
        while time.monotonic() < deadline:
            page = instance.fetch_run_status_changes(
                dg.RunStatusChangeRecordsFilter(
                    event_type,
                    after_storage_id=last,
                    after_timestamp=since if last is None else None,
                ),
                limit=RUNS_PER_QUERY,
                ascending=True,
            )
            for record in page.records:
                if record.timestamp > newest or time.monotonic() >= deadline:
                    break
                yield RunEnd(
                    event_type.value,
                    record.storage_id,
                    record.run_id,
                    at=record.timestamp,
                    job_name=record.event_log_entry.job_name or "",
                )
                last = record.storage_id
            else:
                if page.has_more:
                    continue
            break
