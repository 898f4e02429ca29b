"""`pipeline.qalita_delivery`: what is published, written down before anything is sent."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from atlas_dagster.errors import QalitaError
from atlas_dagster.qalita.content import Kind
from atlas_dagster.qalita.mapping import Subject
from atlas_dagster.qalita.protocol import Report
from atlas_dagster.qalita.targets import Destination
from atlas_dagster.warehouse import PgConnection

LONGEST_KEY = 100  # characters: how long a job's name may be is not known
OPEN, IN_DOUBT, DONE, PARKED = "open", "in_doubt", "done", "parked"


@dataclass(frozen=True)
class Delivery:
    """One thing to publish. Its ``key`` is what makes two deliveries one."""

    key: str
    subject: Subject
    report: Report


@dataclass(frozen=True)
class Progress:
    """What of a delivery is known to be on the platform."""

    job_id: int | None = None
    arrived: tuple[Kind, ...] = ()


@dataclass(frozen=True)
class Waiting:
    """A subject with deliveries that are not done."""

    subject: Subject
    deliveries: int
    since: datetime


@dataclass(frozen=True)
class Stored:
    """A delivery that is not done, as it stands.

    ``sent_to`` is where it was sent last, ``progress`` what is known to be there.
    """

    id: int
    delivery: Delivery
    in_doubt: bool
    is_due: bool
    tries: int
    sent_to: Destination | None
    progress: Progress


@dataclass(frozen=True)
class Parked:
    """A delivery that QALITA has refused for good; ``connection`` and ``stream`` are slugs."""

    id: int
    key: str
    connection: str
    stream: str | None
    reason: str
    request_id: str | None
    ended_at: datetime

    @property
    def label(self) -> str:
        return f"{self.connection}/{self.stream}" if self.stream else self.connection


@dataclass(frozen=True)
class Unsent:
    """A delivery that waits: how often it was tried, when it may be next, and why it waits."""

    id: int
    key: str
    state: str
    tries: int
    due_at: datetime
    reason: str | None


def write_deliveries(connection: PgConnection, deliveries: Iterable[Delivery]) -> int:
    """Write deliveries down in one statement, each key once; returns how many are new.

    They are sent in the order in which they are written.
    """
    rows = list(deliveries)
    for row in rows:
        if not 0 < len(row.key) <= LONGEST_KEY:
            raise ValueError(f"the key of a delivery has 1 to {LONGEST_KEY} characters: {row.key}")
    subjects = [row.subject for row in rows]
    written = connection.execute(
        _WRITE,
        (
            [row.key for row in rows],
            [subject.connection_id for subject in subjects],
            [subject.connection for subject in subjects],
            [subject.connection_name for subject in subjects],
            [subject.stream for subject in subjects],
            [subject.stream_name for subject in subjects],
            [_encoded(row.report) for row in rows],
        ),
    )
    return written.rowcount


def known_keys(connection: PgConnection, keys: Sequence[str]) -> set[str]:
    """Those of the keys that are written down already."""
    rows = connection.execute(
        "select key from pipeline.qalita_delivery where key = any(%s)", (list(keys),)
    ).fetchall()
    return {str(row[0]) for row in rows}


def prune(connection: PgConnection, days: int) -> int:
    """Forget what was delivered so many days ago; returns how many deliveries that were."""
    return connection.execute(
        "delete from pipeline.qalita_delivery"
        " where state = 'done' and ended_at < now() - make_interval(days => %s)",
        (days,),
    ).rowcount


def waiting(connection: PgConnection) -> list[Waiting]:
    """The subjects with deliveries that are not done, those that wait longest first."""
    rows = connection.execute(_WAITING).fetchall()
    return [Waiting(Subject(*row[:5]), row[5], row[6]) for row in rows]


def next_deliveries(
    connection: PgConnection, subjects: Sequence[Subject], after: int, most: int
) -> list[Stored]:
    """The deliveries of some subjects that are not done, due or not, in their order."""
    rows = connection.execute(
        _NEXT,
        (
            [subject.connection_id for subject in subjects],
            [subject.connection for subject in subjects],
            [subject.connection_name for subject in subjects],
            [subject.stream or "" for subject in subjects],
            [subject.stream_name or "" for subject in subjects],
            after,
            most,
        ),
    ).fetchall()
    return [_stored(row) for row in rows]


def claim(
    connection: PgConnection,
    delivery_id: int,
    destination: Destination,
    progress: Progress,
    settle_seconds: float,
) -> None:
    """Note that a delivery is about to be sent: from now on it is in doubt.

    It is not due again before the platform has had ``settle_seconds`` for what it was sent.
    """
    connection.execute(
        "update pipeline.qalita_delivery set state = 'in_doubt', tries = tries + 1, target = %s,"
        " job_id = %s, arrived = %s, touched_at = now(),"
        " due_at = now() + make_interval(secs => %s) where delivery_id = %s",
        (_encoded(destination), *_row(progress), settle_seconds, delivery_id),
    )


def touch(connection: PgConnection, delivery_id: int, settle_seconds: float) -> None:
    """Note that more of it is about to be sent."""
    connection.execute(
        "update pipeline.qalita_delivery set touched_at = now(),"
        " due_at = now() + make_interval(secs => %s) where delivery_id = %s",
        (settle_seconds, delivery_id),
    )


def finish(connection: PgConnection, delivery_id: int, progress: Progress) -> None:
    """Note that all of it has arrived."""
    connection.execute(
        "update pipeline.qalita_delivery set state = 'done', job_id = %s, arrived = %s,"
        " reason = null, request_id = null, ended_at = now() where delivery_id = %s",
        (*_row(progress), delivery_id),
    )


def delay(connection: PgConnection, delivery_id: int, error: QalitaError, seconds: float) -> None:
    """Note why a delivery is not sent yet, and for how long at least; else it is as it was."""
    connection.execute(
        "update pipeline.qalita_delivery set reason = %s, request_id = %s,"
        " due_at = now() + make_interval(secs => %s) where delivery_id = %s",
        (_clean(str(error)), error.request_id, seconds, delivery_id),
    )


def postpone(
    connection: PgConnection,
    delivery_id: int,
    error: QalitaError,
    progress: Progress,
    *,
    in_doubt: bool,
    seconds: float,
) -> None:
    """Note why one that was claimed waits, and for how long at least.

    One that is not in doubt is as if it had never been sent.
    """
    connection.execute(
        "update pipeline.qalita_delivery set state = %s, job_id = %s, arrived = %s, reason = %s,"
        " request_id = %s, due_at = now() + make_interval(secs => %s),"
        " target = case when %s then target end where delivery_id = %s",
        (
            IN_DOUBT if in_doubt else OPEN,
            *_row(progress),
            _clean(str(error)),
            error.request_id,
            seconds,
            in_doubt,
            delivery_id,
        ),
    )


def park(
    connection: PgConnection, delivery_id: int, error: QalitaError, progress: Progress
) -> None:
    """Note that QALITA refuses it: those after it go on, and it waits for `replay`."""
    connection.execute(
        "update pipeline.qalita_delivery set state = 'parked', job_id = %s, arrived = %s,"
        " reason = %s, request_id = %s, ended_at = now() where delivery_id = %s",
        (*_row(progress), _clean(str(error)), error.request_id, delivery_id),
    )


def unsent(connection: PgConnection, most: int) -> list[Unsent]:
    """The first deliveries that wait, in the order in which they are sent."""
    rows = connection.execute(
        "select delivery_id, key, state, tries, due_at, reason from pipeline.qalita_delivery"
        " where state in ('open', 'in_doubt') order by delivery_id limit %s",
        (most,),
    ).fetchall()
    return [Unsent(*row) for row in rows]


def count_states(connection: PgConnection) -> dict[str, int]:
    """How many deliveries are in each state."""
    rows = connection.execute(
        "select state, count(*) from pipeline.qalita_delivery group by state"
    ).fetchall()
    return {str(state): int(count) for state, count in rows}


def parked(connection: PgConnection) -> list[Parked]:
    """The deliveries that QALITA has refused for good, oldest first."""
    rows = connection.execute(_PARKED).fetchall()
    return [Parked(*row) for row in rows]


def replay(connection: PgConnection, ids: Sequence[int] | None = None) -> int:
    """Make parked deliveries due, all unless ids are given; returns how many there were.

    What of them has arrived is looked up, and not sent again.
    """
    replayed = connection.execute(
        "update pipeline.qalita_delivery set state = 'open', due_at = now(), ended_at = null"
        " where state = 'parked' and (%s::bigint[] is null or delivery_id = any(%s))",
        (ids, ids),
    )
    return replayed.rowcount


def published_schemas(connection: PgConnection, destination: Destination) -> dict[str, str]:
    """The digests of the schemas that were last published there, by `schema_label`."""
    target = destination.target
    rows = connection.execute(
        "select subject, digest from pipeline.qalita_schema"
        " where (platform, source_id, pack_id) = (%s, %s, %s)",
        (destination.platform, target.source_id, target.pack_id),
    ).fetchall()
    return {str(label): str(digest) for label, digest in rows}


def note_schema(
    connection: PgConnection, destination: Destination, delivery: Delivery, digest: str
) -> None:
    """Remember the digest of the schemas that this part of a subject was published with."""
    connection.execute(
        "insert into pipeline.qalita_schema (platform, source_id, pack_id, subject, digest)"
        " values (%s, %s, %s, %s, %s) on conflict (platform, source_id, pack_id, subject)"
        " do update set digest = excluded.digest, published_at = now()",
        (
            destination.platform,
            destination.target.source_id,
            destination.target.pack_id,
            schema_label(delivery),
            digest,
        ),
    )


def schema_label(delivery: Delivery) -> str:
    """What the schemas of a delivery are of: a part of a subject."""
    subject = delivery.subject
    return "/".join((subject.connection_id, subject.stream or "", delivery.report.part))


def _encoded(value: Report | Destination) -> str:
    try:
        encoded = msgspec.json.encode(value).decode()
    except UnicodeEncodeError:  # of halves of characters, which messages of systems may have
        encoded = _clean(json.dumps(msgspec.to_builtins(value), ensure_ascii=False))
    return encoded.replace("\\u0000", "\\ufffd")


def _clean(text: str) -> str:
    """A text as PostgreSQL can hold it."""
    return text.replace("\0", "\ufffd").encode(errors="replace").decode()


def _stored(row: tuple[Any, ...]) -> Stored:
    key, content, target = row[1], row[7], row[11]
    return Stored(
        id=row[0],
        delivery=Delivery(key, Subject(*row[2:7]), msgspec.json.decode(content, type=Report)),
        in_doubt=row[8],
        is_due=row[9],
        tries=row[10],
        sent_to=None if target is None else msgspec.json.decode(target, type=Destination),
        progress=Progress(row[12], tuple(Kind(name) for name in row[13])),
    )


def _row(progress: Progress) -> tuple[int | None, list[str]]:
    return progress.job_id, [kind.value for kind in progress.arrived]


_COLUMNS = "connection_id, connection, connection_name, stream, stream_name"

_WRITE = f"""
insert into pipeline.qalita_delivery (key, {_COLUMNS}, content)
select key, {_COLUMNS}, content::jsonb
from unnest(%s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[])
    with ordinality as written (key, {_COLUMNS}, content, place)
order by place
on conflict (key) do nothing
"""

_WAITING = f"""
select {_COLUMNS}, count(*), min(written_at)
from pipeline.qalita_delivery
where state in ('open', 'in_doubt')
group by {_COLUMNS}
order by min(delivery_id)
"""

_NEXT = f"""
select delivery_id, key, {_COLUMNS}, content::text, state = 'in_doubt', due_at <= now(), tries,
    target::text, job_id, arrived
from pipeline.qalita_delivery
where state in ('open', 'in_doubt')
    and (connection_id, connection, connection_name, coalesce(stream, ''),
        coalesce(stream_name, '')) in (
        select * from unnest(%s::text[], %s::text[], %s::text[], %s::text[], %s::text[])
    )
    and delivery_id > %s
order by delivery_id
limit %s
"""

_PARKED = """
select delivery_id, key, connection, stream, reason, request_id, ended_at
from pipeline.qalita_delivery
where state = 'parked'
order by delivery_id
"""
