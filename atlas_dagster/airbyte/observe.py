"""Jobs that Dagster did not start: heard of by polling and by webhooks, and recorded once each."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone

import msgspec

from atlas_dagster.airbyte import jobs, notices, server_ledger
from atlas_dagster.airbyte.http import Json, Retries
from atlas_dagster.airbyte.job_list import ListedJob, parse_jobs
from atlas_dagster.airbyte.notices import Notice
from atlas_dagster.airbyte.refresh import refresh
from atlas_dagster.airbyte.server import JOB_KINDS, AirbyteApi
from atlas_dagster.airbyte.server_record import keep_state_after, record_job
from atlas_dagster.airbyte.snapshot import Snapshot, StoredConnection, load_snapshot
from atlas_dagster.errors import AirbyteError, AirbyteUnavailableError, BusyError
from atlas_dagster.settings import Settings
from atlas_dagster.warehouse import PgConnection, session_lock

IMPATIENT = Retries(most=2, most_seconds=2.0, patience_seconds=5.0)
"""A tick has no time to wait for a server: the next one asks again."""

FIRST_WINDOW = timedelta(days=1)
OVERLAP = timedelta(minutes=5)  # jobs whose end is written later than its time says
MOST_PAGES = 20  # of each kind of jobs, in one poll

HINTS = ("sync", "payload")
"""What names a job. A payload says more, but Airbyte can be asked, and knows better."""

Note = Callable[[str], None]


class SyncCursor(msgspec.Struct, frozen=True):
    """Up to when jobs have been polled, by Airbyte's clock.

    What ended before ``since`` is recorded where the layers need it, and told nobody.
    """

    since: datetime
    updated_at: datetime


@dataclass
class Observed:
    """How far a tick has come; ``notes`` say what could not be done, and why."""

    cursor: SyncCursor
    recorded: int = 0
    notes: list[str] = field(default_factory=list[str])


def first_cursor(now: datetime | None = None) -> SyncCursor:
    """Where polling begins: a day ago, not at the beginning of time."""
    since = (now or datetime.now(timezone.utc)) - FIRST_WINDOW
    return SyncCursor(since, since)


def observe(
    settings: Settings,
    api: AirbyteApi,
    warehouse: PgConnection,
    cursor: SyncCursor,
    deadline: float,
) -> Observed:
    """Poll for jobs that have ended, and record those that were heard of, until the deadline.

    What Airbyte cannot be asked about now stays noted. The deadline is one of `time.monotonic`.
    """
    observed = Observed(cursor)
    try:
        observed.cursor = poll(api, warehouse, cursor, deadline)
        heard = notices.unsettled(warehouse, HINTS)
        if heard:
            _Recorder(settings, api, warehouse, observed, deadline).follow_up(heard)
    except AirbyteError as error:
        observed.notes.append(str(error))
    return observed


def poll(
    api: AirbyteApi, warehouse: PgConnection, cursor: SyncCursor, deadline: float
) -> SyncCursor:
    """Note the jobs that have ended since the cursor; returns the one after them."""

    def ask(kind: str | None) -> _Poll:
        return _poll_kind(api, kind, cursor, deadline)

    with ThreadPoolExecutor(len(JOB_KINDS), thread_name_prefix="airbyte") as pool:
        polls = list(pool.map(ask, JOB_KINDS))
    notices.add_polled(warehouse, (job for poll in polls for job in poll.jobs))
    unfinished = [poll.reached for poll in polls if not poll.is_complete]
    reached = min(unfinished) if unfinished else max(poll.reached for poll in polls)
    return SyncCursor(cursor.since, max(reached, cursor.updated_at))


@dataclass(frozen=True)
class _Poll:
    jobs: Sequence[ListedJob]
    reached: datetime
    is_complete: bool


def _poll_kind(api: AirbyteApi, kind: str | None, cursor: SyncCursor, deadline: float) -> _Poll:
    """Page by the time of the last change.

    By offset alone, a job that changes meanwhile would move to the end, and let another slip
    through to a page that was read already.
    """
    start, offset = cursor.updated_at - OVERLAP, 0
    ended: dict[int, ListedJob] = {}
    reached = cursor.updated_at
    for _ in range(MOST_PAGES):
        if time.monotonic() >= deadline:
            break
        page = parse_jobs(api.jobs_updated_since(kind, start, offset))
        if not page:
            return _Poll(list(ended.values()), reached, is_complete=True)
        found = [job for job in page if job.has_ended]
        ended.update((job.id, job) for job in found)
        newest = max((job.updated_at for job in found), default=start)
        reached = max(reached, newest)
        start, offset = (newest, 0) if newest > start else (start, offset + len(page))
    return _Poll(list(ended.values()), reached, is_complete=False)


class _Recorder:
    """Follows up what was heard of, connection by connection."""

    def __init__(
        self,
        settings: Settings,
        api: AirbyteApi,
        warehouse: PgConnection,
        observed: Observed,
        deadline: float,
    ) -> None:
        self._settings = settings
        self._api = api
        self._warehouse = warehouse
        self._observed = observed
        self._deadline = deadline

    def follow_up(self, heard: Iterable[Notice]) -> None:
        """Record the jobs that the notices are of; raises AirbyteError where nobody answers."""
        grouped: defaultdict[str, list[Notice]] = defaultdict(list)
        for notice in heard:
            grouped[notice.connection_id or ""].append(notice)
        snapshot = self._snapshot_with(grouped)
        for connection_id, mine in grouped.items():
            if self._is_late():
                self._observed.notes.append("not all that was heard of is recorded yet")
                return
            stored = snapshot.connection(connection_id) if snapshot else None
            if stored is None:
                reason = f"no connection {connection_id} in the workspace"
                notices.settle(self._warehouse, mine, reason)
            elif not stored.details:
                notices.settle(self._warehouse, mine, f"{stored.name}: {stored.problem}")
            else:
                self._record_alone(stored, mine)

    def _snapshot_with(self, connection_ids: Iterable[str]) -> Snapshot | None:
        """The catalog; fetched anew where Airbyte has one of the connections, and it has not."""
        snapshot = load_snapshot(self._settings)
        stored = snapshot.connections if snapshot else ()
        unknown = {*connection_ids} - {known.id for known in stored if known.details}
        if unknown and not unknown.isdisjoint(map(_id, self._api.connections())):
            snapshot = refresh(self._settings, IMPATIENT)
            if snapshot.failure:
                raise AirbyteUnavailableError(snapshot.failure)
        return snapshot

    def _record_alone(self, stored: StoredConnection, mine: Sequence[Notice]) -> None:
        """Record a connection's jobs, unless a run syncs it: then the next tick looks again."""
        scope = jobs.lock_scope(stored.id)
        try:
            with session_lock(self._warehouse, scope, f"{stored.slug} is being synced by a run"):
                self._record(stored, mine)
        except BusyError as busy:
            self._observed.notes.append(str(busy))
        except AirbyteError as error:
            if error.status not in (400, 404, 422):
                raise
            notices.settle(self._warehouse, mine, str(error))

    def _record(self, stored: StoredConnection, mine: Sequence[Notice]) -> None:
        """Record all jobs of a connection that have ended and are not in the ledger, in order."""
        warehouse = self._warehouse
        refusals = self._refusals(stored, mine)
        named = {n.job_id for n in mine if n.job_id is not None and n.job_id not in refusals}
        listed = parse_jobs(self._api.jobs(stored.id))
        since = self._observed.cursor.since
        ended = {job.id for job in listed if job.has_ended and job.updated_at >= since}
        missing = server_ledger.unrecorded(warehouse, stored.id, ended | named)
        newest = server_ledger.newest_recorded(warehouse, stored.id)
        for job_id in missing:
            if self._is_late():
                return
            is_newest = job_id == missing[-1] and (newest is None or job_id > newest)
            note = self._observed.notes.append
            record_job(self._api, warehouse, stored, job_id, note, keep_catalog=is_newest)
            self._observed.recorded += 1
            if is_newest:
                keep_state_after(self._api, warehouse, stored, job_id, note)
        for notice in mine:
            notices.settle(warehouse, [notice], refusals.get(notice.job_id))

    def _refusals(self, stored: StoredConnection, mine: Sequence[Notice]) -> dict[int | None, str]:
        """Why jobs that a webhook named lead to nothing; those that are recorded need no look."""
        named = {n.job_id for n in mine if n.source != "poll" and n.job_id is not None}
        reasons: dict[int | None, str] = {}
        for job_id in server_ledger.unrecorded(self._warehouse, stored.id, named):
            reason = self._why_not(stored, job_id)
            if reason:
                reasons[job_id] = reason
        return reasons

    def _why_not(self, stored: StoredConnection, job_id: int) -> str | None:
        try:
            (job,) = parse_jobs([self._api.job(job_id)])
        except AirbyteError as error:
            if error.status not in (400, 404, 422):
                raise
            return f"Airbyte has no job {job_id}"
        if job.connection_id != stored.id:
            return f"job {job_id} is none of {stored.slug}"
        return None if job.has_ended else f"job {job_id} has not ended: it is {job.status}"

    def _is_late(self) -> bool:
        return time.monotonic() >= self._deadline


def _id(listed: Json) -> str:
    return str(listed.get("connectionId"))
