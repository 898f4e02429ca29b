"""What an Airbyte server says of a job that has ended: counts a stream, attempts, failures.

Shapes: airbytehq/airbyte-platform, config.yaml, `JobInfoRead` and `StreamStatusRead`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timezone
from typing import Any

import msgspec

from atlas_dagster.catalog import Connection, Stream, SyncMode
from atlas_dagster.errors import AirbyteError

StreamKey = tuple[str, str | None]  # name, namespace: the source's, without the prefix

_TYPES = {"reset_connection": "reset"}
SPEAKING = ("sync", "refresh")  # the kinds of jobs that read the source
_LONGEST_MESSAGE = 2000  # characters


@dataclass(frozen=True)
class Counts:
    """Records and bytes of one stream in one job."""

    records_emitted: int
    bytes_emitted: int
    records_committed: int
    bytes_committed: int


NO_COUNTS = Counts(0, 0, 0, 0)


@dataclass(frozen=True)
class StreamOutcome:
    """What a job has done to a stream.

    ``full_refresh``: it read all of the source's records, and says how many. ``counts`` is None
    where Airbyte does not say. ``complete``: what it read is in the table. ``last_extracted_at`` is
    None where no record can be seen, ``touched_days`` are the UTC days that records may be of.
    """

    stream: Stream
    generation_id: int
    minimum_generation_id: int
    full_refresh: bool
    complete: bool
    counts: Counts | None
    last_extracted_at: datetime | None = None
    touched_days: tuple[date, ...] = ()

    @property
    def key(self) -> StreamKey:
        return self.stream.name, self.stream.namespace

    @property
    def brought_records(self) -> bool:
        """Whether it has committed records, as far as Airbyte says."""
        return self.counts is None or self.counts.records_committed > 0


@dataclass(frozen=True)
class JobOutcome:
    """A job that has ended; ``failure`` is Airbyte's own reason where it did not succeed."""

    job_id: int
    kind: str
    status: str
    created_at: datetime
    ended_at: datetime
    attempts: int
    failure: str | None
    streams: tuple[StreamOutcome, ...]


class _Stats(msgspec.Struct, frozen=True, rename="camel"):
    records_emitted: int | None = None
    bytes_emitted: int | None = None
    records_committed: int | None = None
    bytes_committed: int | None = None


class _StreamTotals(_Stats, frozen=True, rename="camel"):
    stream_name: str = ""
    stream_namespace: str | None = None


class _StreamStats(msgspec.Struct, frozen=True, rename="camel"):
    stream_name: str
    stream_namespace: str | None = None
    stats: _Stats = _Stats()


class _Failure(msgspec.Struct, frozen=True, rename="camel"):
    failure_origin: str | None = None
    failure_type: str | None = None
    external_message: str | None = None


class _Failures(msgspec.Struct, frozen=True):
    failures: list[_Failure] = []


class _Attempt(msgspec.Struct, frozen=True, rename="camel"):
    id: int = 0
    stream_stats: list[_StreamStats] | None = None
    failure_summary: _Failures | None = None


class _AttemptInfo(msgspec.Struct, frozen=True):
    attempt: _Attempt


class _Descriptor(msgspec.Struct, frozen=True):
    name: str
    namespace: str | None = None

    @property
    def key(self) -> StreamKey:
        return self.name, self.namespace or None


class _Refresh(msgspec.Struct, frozen=True, rename="camel"):
    streams_to_refresh: list[_Descriptor] | None = None


class _Job(msgspec.Struct, frozen=True, rename="camel"):
    id: int
    config_type: str
    created_at: int
    updated_at: int
    status: str
    enabled_streams: list[_Descriptor] | None = None
    aggregated_stats: _Stats | None = None
    stream_aggregated_stats: list[_StreamTotals] | None = None
    refresh_config: _Refresh | None = None


class JobInfo(msgspec.Struct, frozen=True):
    """The answer of `jobs/get_without_logs`, as far as it is used here."""

    job: _Job
    attempts: list[_AttemptInfo] = []


class StreamStatus(msgspec.Struct, frozen=True, rename="camel"):
    """One of `stream_statuses/list`: how far an attempt has come with a stream."""

    stream_name: str
    attempt_number: int
    run_state: str
    stream_namespace: str | None = None
    transitioned_at: int = 0


def parse_job_info(answer: Mapping[str, Any]) -> JobInfo:
    """Read an answer of `jobs/get_without_logs`; raises AirbyteError naming what is wrong."""
    try:
        return msgspec.convert(answer, JobInfo)
    except msgspec.ValidationError as error:
        raise AirbyteError(f"Airbyte describes a job in a way that is not known: {error}") from None


def parse_statuses(answer: Sequence[Mapping[str, Any]]) -> list[StreamStatus]:
    """Read `stream_statuses/list`; raises AirbyteError naming what is wrong."""
    try:
        return msgspec.convert(answer, list[StreamStatus])
    except msgspec.ValidationError as error:
        raise AirbyteError(
            f"Airbyte describes streams in a way that is not known: {error}"
        ) from None


def read_outcome(
    info: JobInfo,
    statuses: Sequence[StreamStatus],
    connection: Connection,
    generations: Mapping[StreamKey, tuple[int, int]],
) -> JobOutcome:
    """What a job has done, given the connection as it was for the job.

    ``generations`` are the generation and the least one that is kept, of each stream.
    """
    job = info.job
    kind = _TYPES.get(job.config_type, job.config_type)
    enabled = {d.key for d in job.enabled_streams} if job.enabled_streams else None
    refresh = job.refresh_config.streams_to_refresh if job.refresh_config else None
    refreshed = {d.key for d in refresh or ()}
    counts = _counts(info)
    completed = _completed(statuses)
    streams: list[StreamOutcome] = []
    for stream in connection.streams:
        key = stream.name, stream.namespace
        if enabled is not None and key not in enabled:
            continue
        count = counts.get(key) if counts is not None else None
        if counts is not None and count is None:
            count = NO_COUNTS
        rereads = stream.sync_mode is SyncMode.FULL_REFRESH or key in refreshed
        generation, minimum = generations.get(key, (0, 0))
        streams.append(
            StreamOutcome(
                stream=stream,
                generation_id=generation,
                minimum_generation_id=minimum,
                full_refresh=kind in SPEAKING and rereads and count is not None,
                complete=job.status == "succeeded"
                or (key in completed and key not in refreshed and not _swaps(stream)),
                counts=count,
            )
        )
    return JobOutcome(
        job_id=job.id,
        kind=kind,
        status=job.status,
        created_at=_moment(job.created_at),
        ended_at=_moment(job.updated_at),
        attempts=len(info.attempts),
        failure=None if job.status == "succeeded" else failure_text(info),
        streams=tuple(streams),
    )


def failure_text(info: JobInfo) -> str:
    """Why a job has not succeeded, in the words that Airbyte has for its users."""
    failures = [
        failure
        for attempt in info.attempts[-1:]
        if attempt.attempt.failure_summary
        for failure in attempt.attempt.failure_summary.failures
    ]
    head = f"Airbyte's job {info.job.id} {_ENDS.get(info.job.status, info.job.status)}"
    said = [text for failure in failures if (text := _message(failure))]
    return f"{head}: {'; '.join(dict.fromkeys(said))}" if said else f"{head}, and does not say why"


_ENDS = {"failed": "failed", "cancelled": "was cancelled"}


def _message(failure: _Failure) -> str | None:
    """What a failure says; internal messages may hold what nobody should read."""
    origin = ", ".join(filter(None, (failure.failure_origin, failure.failure_type)))
    text = " ".join((failure.external_message or "").split())[:_LONGEST_MESSAGE]
    if text:
        return f"{text} ({origin})" if origin else text
    return f"{origin}, without a message" if origin else None


def _counts(info: JobInfo) -> dict[StreamKey, Counts] | None:
    """Counts by stream, over all attempts; a stream without records is not among them.

    None where they do not add up to what the job as a whole has committed: then a stream that is
    missing may have had records.
    """
    totals = info.job.stream_aggregated_stats
    found: dict[StreamKey, Counts] = {}
    for name, namespace, stats in (
        ((t.stream_name, t.stream_namespace, t) for t in totals)
        if totals
        else (
            (s.stream_name, s.stream_namespace, s.stats)
            for attempt in info.attempts
            for s in attempt.attempt.stream_stats or ()
        )
    ):
        key = name, namespace or None
        found[key] = _sum(found.get(key), stats)
    whole = info.job.aggregated_stats
    committed = whole.records_committed if whole else None
    if committed is None or committed != sum(c.records_committed for c in found.values()):
        return None
    return found


def _sum(counts: Counts | None, stats: _Stats) -> Counts:
    before = counts or NO_COUNTS
    return Counts(
        before.records_emitted + (stats.records_emitted or 0),
        before.bytes_emitted + (stats.bytes_emitted or 0),
        before.records_committed + (stats.records_committed or 0),
        before.bytes_committed + (stats.bytes_committed or 0),
    )


def _completed(statuses: Iterable[StreamStatus]) -> Collection[StreamKey]:
    """The streams that the last attempt has read to their end."""
    found = list(statuses)
    last = max((status.attempt_number for status in found), default=0)
    states: dict[StreamKey, str] = {}
    for status in sorted(found, key=lambda status: status.transitioned_at):
        if status.attempt_number == last:
            states[(status.stream_name, status.stream_namespace or None)] = status.run_state
    return {key for key, state in states.items() if state == "COMPLETE"}


def _swaps(stream: Stream) -> bool:
    """Whether the destination replaces the table, which it does only if the whole job succeeds."""
    return stream.sync_mode is SyncMode.FULL_REFRESH and stream.destination_mode.overwrites


def _moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, timezone.utc)
