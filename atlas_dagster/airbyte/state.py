"""Connector state in ``pipeline.connector_state``: the newest version counts, 100 are kept.

STREAM: one row a stream. GLOBAL: one a stream, and one without a name for the shared state.
LEGACY: one without a name. What a connector says of itself is never read, only kept.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
from msgspec import Raw
from psycopg.rows import class_row

from atlas_dagster.airbyte.protocol import State, StreamState
from atlas_dagster.errors import ConfigError
from atlas_dagster.warehouse import PgConnection

VERSIONS_KEPT = 100
SHARED = ("", "")  # namespace and name of what belongs to no one stream


@dataclass(frozen=True)
class Entry:
    """One piece of state; ``state`` is JSON text, None where it is to be forgotten."""

    kind: str
    namespace: str
    name: str
    state: str | None


@dataclass(frozen=True)
class StoredState:
    """One version of one piece of state."""

    namespace: str
    name: str
    version: int
    kind: str
    state: str | None
    job_id: int | None
    saved_at: datetime


def entries(message: State) -> list[Entry]:
    """The pieces of a state message. Raises ConfigError where its parts do not fit its type."""
    kind = message.type or "LEGACY"
    if kind == "STREAM" and message.stream:
        return [_stream_entry(kind, message.stream)]
    if kind == "GLOBAL" and message.global_:
        shared = bytes(message.global_.shared_state).decode() or "null"
        return [
            Entry(kind, *SHARED, shared),
            *(_stream_entry(kind, state) for state in message.global_.stream_states),
        ]
    if kind == "LEGACY" and bytes(message.data):
        return [Entry(kind, *SHARED, bytes(message.data).decode())]
    raise ConfigError(f"a state of type {kind} without the part that belongs to it")


def save(
    connection: PgConnection, connection_id: str, new: Sequence[Entry], job_id: int | None
) -> None:
    """Store pieces of state as the next versions, within the caller's transaction.

    A piece that is as it was gets no new version. Pieces of another kind are forgotten: a source
    has one kind of state; so are streams that a GLOBAL state no longer has.
    """
    kind = new[0].kind
    parameters = [_parameters(connection_id, entry, job_id) for entry in new]
    with connection.cursor() as cursor:
        cursor.executemany(_SAVE, parameters)
        cursor.executemany(_PRUNE, parameters)
    replaced = [f"{entry.namespace}\x1f{entry.name}" for entry in new]
    connection.execute(
        _FORGET_OTHERS,
        {"connection_id": connection_id, "kind": kind, "job_id": job_id, "kept": replaced},
    )


def show(connection: PgConnection, connection_id: str) -> list[StoredState]:
    """The current version of every piece, those that were reset included."""
    with connection.cursor(row_factory=class_row(StoredState)) as cursor:
        return cursor.execute(_CURRENT, {"connection_id": connection_id}).fetchall()


def export(connection: PgConnection, connection_id: str) -> bytes:
    """The state as connectors and Airbyte take it: a JSON array of AirbyteStateMessage."""
    current = [s for s in show(connection, connection_id) if s.state is not None]
    kinds = {s.kind for s in current}
    shared = next((Raw(s.state.encode()) for s in current if s.state and not s.name), None)
    streams = [
        {"stream_descriptor": _descriptor(s), "stream_state": Raw(s.state.encode())}
        for s in current
        if s.state and s.name
    ]
    if "LEGACY" in kinds:
        messages: list[object] = [{"type": "LEGACY", "data": shared}]
    elif "GLOBAL" in kinds:
        parts = {"shared_state": shared, "stream_states": streams}
        messages = [{"type": "GLOBAL", "global": parts}]
    else:
        messages = [{"type": "STREAM", "stream": stream} for stream in streams]
    return msgspec.json.encode(messages)


def parse_exported(exported: bytes) -> list[Entry]:
    """The pieces of an exported state; raises ConfigError naming what is no AirbyteStateMessage."""
    try:
        messages = msgspec.json.decode(exported, type=list[State])
    except msgspec.DecodeError as error:
        raise ConfigError(f"not an array of AirbyteStateMessage: {error}") from None
    new = [entry for message in messages for entry in entries(message)]
    if len({entry.kind for entry in new}) > 1:
        raise ConfigError("the state mixes messages of several types")
    return new


def import_(connection: PgConnection, connection_id: str, new: Sequence[Entry]) -> int:
    """Replace the state by an exported one; returns how many pieces it has."""
    with connection.transaction():
        reset(connection, connection_id, None)
        if new:
            save(connection, connection_id, new, None)
    return len(new)


def reset(
    connection: PgConnection,
    connection_id: str,
    stream: tuple[str, str | None] | None,
    job_id: int | None = None,
) -> int:
    """Forget the state of one stream (name, namespace) or of all; returns the pieces forgotten.

    The versions stay as history; the next sync of the stream starts from nothing.
    """
    name, namespace = stream or (None, None)
    return connection.execute(
        _RESET,
        {
            "connection_id": connection_id,
            "name": name,
            "namespace": namespace or "",
            "job_id": job_id,
        },
    ).rowcount


_CURRENT = """
select distinct on (namespace, name)
    namespace, name, version, kind, state::text as state, job_id, saved_at
from pipeline.connector_state
where connection_id = %(connection_id)s
order by namespace, name, version desc
"""

_SAVE = """
insert into pipeline.connector_state
    (connection_id, namespace, name, version, kind, state, job_id)
select %(connection_id)s, %(namespace)s, %(name)s, coalesce(last.version, 0) + 1, %(kind)s,
    %(state)s::jsonb, %(job_id)s
from (select) as one
left join lateral (
    select version, kind, state
    from pipeline.connector_state
    where connection_id = %(connection_id)s and namespace = %(namespace)s and name = %(name)s
    order by version desc
    limit 1
) as last on true
where (last.kind, last.state) is distinct from (%(kind)s, %(state)s::jsonb)
"""

_PRUNE = """
delete from pipeline.connector_state
where connection_id = %(connection_id)s and namespace = %(namespace)s and name = %(name)s
    and version <= -%(kept_versions)s + (
        select max(version)
        from pipeline.connector_state
        where connection_id = %(connection_id)s and namespace = %(namespace)s and name = %(name)s
    )
"""

_FORGET = f"""
insert into pipeline.connector_state
    (connection_id, namespace, name, version, kind, state, job_id)
select %(connection_id)s, namespace, name, version + 1, %(kind)s, null, %(job_id)s
from ({_CURRENT}) as current
where state is not null
"""

_FORGET_OTHERS = f"""{_FORGET}
    and (kind <> %(kind)s or kind = 'GLOBAL')
    and namespace || chr(31) || name <> all(%(kept)s)
"""

_RESET = f"""
insert into pipeline.connector_state
    (connection_id, namespace, name, version, kind, state, job_id)
select %(connection_id)s, namespace, name, version + 1, kind, null, %(job_id)s
from ({_CURRENT}) as current
where state is not null
    and (%(name)s::text is null or (name, namespace) = (%(name)s, %(namespace)s))
"""


def _stream_entry(kind: str, state: StreamState) -> Entry:
    text = bytes(state.stream_state).decode() or "null"
    descriptor = state.stream_descriptor
    return Entry(
        kind, descriptor.namespace or "", descriptor.name, None if text == "null" else text
    )


def _parameters(connection_id: str, entry: Entry, job_id: int | None) -> Mapping[str, Any]:
    return {
        "connection_id": connection_id,
        "namespace": entry.namespace,
        "name": entry.name,
        "kind": entry.kind,
        "state": entry.state,
        "job_id": job_id,
        "kept_versions": VERSIONS_KEPT,
    }


def _descriptor(state: StoredState) -> dict[str, str]:
    namespace = {"namespace": state.namespace} if state.namespace else {}
    return {"name": state.name, **namespace}
