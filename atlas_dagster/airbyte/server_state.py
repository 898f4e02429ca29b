"""The state that an Airbyte server has of a connection: kept as that of embedded ones, and changed.

Shapes: airbytehq/airbyte-platform, config.yaml, `ConnectionState` and its `CreateOrUpdate`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import Raw

from atlas_dagster.airbyte import state
from atlas_dagster.airbyte.protocol import ABSENT, StreamDescriptor
from atlas_dagster.airbyte.server import AirbyteApi
from atlas_dagster.airbyte.state import SHARED, Entry
from atlas_dagster.errors import AirbyteError, BusyError, ConfigError
from atlas_dagster.warehouse import PgConnection


class _StreamState(msgspec.Struct, rename="camel"):
    stream_descriptor: StreamDescriptor
    stream_state: Raw = ABSENT


class _GlobalState(msgspec.Struct):
    shared_state: Raw = ABSENT
    stream_states: list[_StreamState] = msgspec.field(
        default_factory=list[_StreamState], name="streamStates"
    )


class _ConnectionState(msgspec.Struct, rename="camel"):
    state_type: str = "not_set"
    stream_state: list[_StreamState] | None = None
    global_state: _GlobalState | None = None
    state: Raw = ABSENT


_SYNCING = 423


def import_state(
    api: AirbyteApi, warehouse: PgConnection, connection_id: str, new: Sequence[Entry]
) -> int:
    """Have Airbyte replace its state of a connection; returns how many pieces it has then.

    Raises ConfigError where Airbyte has state of another type, BusyError while it syncs.
    """
    current = parse_state(api.state(connection_id))
    if not new:
        _change(api, warehouse, connection_id, _forgotten(current))
        return 0
    kind = new[0].kind
    if any(entry.kind not in (kind, "LEGACY") for entry in current):
        raise ConfigError(
            f"Airbyte has state of type {current[0].kind} of the connection, and this is of type"
            f" {kind}: reset it first"
        )
    keys = {(entry.namespace, entry.name) for entry in new}
    dropped = [e for e in current if e.kind == kind and (e.namespace, e.name) not in keys]
    _change(api, warehouse, connection_id, [*new, *_forgotten(dropped)])
    return len(new)


def reset_state(
    api: AirbyteApi,
    warehouse: PgConnection,
    connection_id: str,
    stream: tuple[str, str | None] | None,
) -> int:
    """Have Airbyte forget the state of a stream (name, namespace) or of all; returns the pieces.

    Raises BusyError while it syncs the connection.
    """
    current = parse_state(api.state(connection_id))
    chosen = [e for e in current if stream is None or (e.name, e.namespace or None) == stream]
    if chosen:
        # A global state without its shared part deletes that: it goes along as it is.
        shared = [e for e in current if (e.namespace, e.name) == SHARED and e not in chosen]
        _change(api, warehouse, connection_id, [*shared, *_forgotten(chosen)])
    return len(chosen)


def keep_state(
    connection: PgConnection, connection_id: str, answer: bytes, job_id: int | None
) -> None:
    """Keep an answer of `state/get` as the state after a job; what it lacks is forgotten.

    Raises AirbyteError where it is no such answer.
    """
    new = parse_state(answer)
    kept = {(entry.name, entry.namespace) for entry in new}
    with connection.transaction():
        if new:
            state.save(connection, connection_id, new, job_id)
        for piece in state.show(connection, connection_id):
            if piece.state is not None and (piece.name, piece.namespace) not in kept:
                state.reset(connection, connection_id, (piece.name, piece.namespace), job_id)


def parse_state(answer: bytes) -> list[Entry]:
    """The pieces of an answer of `state/get`; raises AirbyteError where it is none."""
    try:
        found = msgspec.json.decode(answer, type=_ConnectionState)
    except msgspec.DecodeError as error:
        raise AirbyteError(f"Airbyte describes state in a way that is not known: {error}") from None
    if found.state_type == "stream":
        return [_entry("STREAM", piece) for piece in found.stream_state or ()]
    if found.state_type == "global" and found.global_state:
        shared = Entry("GLOBAL", *SHARED, _text(found.global_state.shared_state) or "null")
        return [shared, *(_entry("GLOBAL", piece) for piece in found.global_state.stream_states)]
    if found.state_type == "legacy":
        return [Entry("LEGACY", *SHARED, _text(found.state))]
    return []


def _change(
    api: AirbyteApi, warehouse: PgConnection, connection_id: str, pieces: Sequence[Entry]
) -> None:
    if not pieces:
        return
    try:
        answer = api.put_state(_request(connection_id, pieces))
    except AirbyteError as error:
        if error.status == _SYNCING:
            raise BusyError(
                "Airbyte is syncing the connection; its state can be changed when that has ended"
            ) from None
        raise
    keep_state(warehouse, connection_id, answer, job_id=None)


def _forgotten(pieces: Sequence[Entry]) -> list[Entry]:
    return [Entry(piece.kind, piece.namespace, piece.name, None) for piece in pieces]


def _request(connection_id: str, pieces: Sequence[Entry]) -> bytes:
    """The body of `state/create_or_update_safe`; a piece that is null is deleted by it."""
    kind = pieces[0].kind
    shared = next((_raw(p.state) for p in pieces if (p.namespace, p.name) == SHARED), None)
    streams = [
        {"streamDescriptor": _descriptor(p), "streamState": _raw(p.state)}
        for p in pieces
        if (p.namespace, p.name) != SHARED
    ]
    states: dict[str, dict[str, Any]] = {
        "STREAM": {"streamState": streams},
        "GLOBAL": {"globalState": {"shared_state": shared, "streamStates": streams}},
        "LEGACY": {"state": shared},
    }
    state_ = {"connectionId": connection_id, "stateType": kind.lower(), **states[kind]}
    return msgspec.json.encode({"connectionId": connection_id, "connectionState": state_})


def _raw(text: str | None) -> Raw | None:
    return None if text is None else Raw(text.encode())


def _descriptor(piece: Entry) -> dict[str, str]:
    namespace = {"namespace": piece.namespace} if piece.namespace else {}
    return {"name": piece.name, **namespace}


def _entry(kind: str, piece: _StreamState) -> Entry:
    name, namespace = piece.stream_descriptor.key
    return Entry(kind, namespace or "", name, _text(piece.stream_state))


def _text(raw: Raw) -> str | None:
    """JSON text; None for what is absent or null."""
    text = bytes(raw).decode()
    return None if text in ("", "null") else text
