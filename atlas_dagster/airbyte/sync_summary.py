"""A sync on one page: what it brought of each stream of its connection."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date

from atlas_dagster.airbyte.job_info import JobOutcome, StreamOutcome
from atlas_dagster.airbyte.jobs import Job, StreamSync
from atlas_dagster.markdown import code, table

SHOWN = 20
"""So many streams are listed: each stream of the connection carries the page."""


@dataclass(frozen=True)
class Brought:
    """What a sync brought of a stream; ``records`` and ``size``, in bytes, None where unknown."""

    stream: str
    records: int | None
    size: int | None
    days: Collection[date]
    is_complete: bool


def embedded_summary(job: Job, streams: Iterable[StreamSync]) -> str:
    """The page of an embedded sync, in Markdown."""
    seconds = (job.updated_at - job.created_at).total_seconds()
    return _page(job.job_id, job.status, seconds, [_embedded(stream) for stream in streams])


def server_summary(outcome: JobOutcome) -> str:
    """The page of a server's sync, in Markdown."""
    seconds = (outcome.ended_at - outcome.created_at).total_seconds()
    return _page(outcome.job_id, outcome.status, seconds, [_served(s) for s in outcome.streams])


def _embedded(synced: StreamSync) -> Brought:
    return Brought(
        _named(synced.name, synced.namespace),
        synced.records_committed,
        synced.bytes_committed,
        synced.touched_days,
        synced.status == "complete",
    )


def _served(synced: StreamOutcome) -> Brought:
    counts = synced.counts
    return Brought(
        _named(synced.stream.name, synced.stream.namespace),
        counts and counts.records_committed,
        counts and counts.bytes_committed,
        synced.touched_days,
        synced.complete,
    )


def _named(name: str, namespace: str | None) -> str:
    return f"{namespace}.{name}" if namespace else name


def _page(job_id: int, status: str, seconds: float, brought: Sequence[Brought]) -> str:
    return "\n".join(_lines(job_id, status, seconds, brought))


def _lines(job_id: int, status: str, seconds: float, brought: Sequence[Brought]) -> Iterator[str]:
    known = [one.records for one in brought if one.records is not None]
    records = f"{sum(known):,} records of " if known else ""
    yield f"**Job {job_id}** {status} in {seconds:,.1f} s: {records}{len(brought):,} streams."
    yield ""
    largest = sorted(brought, key=lambda one: (-(one.records or 0), one.stream))
    yield table(("stream", "records", "bytes", "days", "is"), map(_row, largest[:SHOWN]))
    if len(largest) > SHOWN:
        yield f"\nand {len(largest) - SHOWN:,} more streams"


def _row(one: Brought) -> tuple[str, ...]:
    return (
        code(one.stream),
        _number(one.records),
        _number(one.size),
        _spread(one.days),
        "complete" if one.is_complete else "incomplete",
    )


def _number(number: int | None) -> str:
    return "not told" if number is None else f"{number:,}"


def _spread(days: Collection[date]) -> str:
    if not days:
        return ""
    first, last = min(days), max(days)
    return f"{first}" if first == last else f"{first} to {last}"
