"""The state that an Airbyte server has of a connection, kept as that of embedded ones is.

Shape: airbytehq/airbyte-platform, config.yaml, `ConnectionState`.
"""

from __future__ import annotations

import msgspec
from msgspec import Raw

from atlas_dagster.airbyte import state
from atlas_dagster.airbyte.protocol import ABSENT, StreamDescriptor
from atlas_dagster.airbyte.state import SHARED, Entry
from atlas_dagster.errors import AirbyteError
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


def keep_state(connection: PgConnection, connection_id: str, answer: bytes, job_id: int) -> None:
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


def _entry(kind: str, piece: _StreamState) -> Entry:
    name, namespace = piece.stream_descriptor.key
    return Entry(kind, namespace or "", name, _text(piece.stream_state))


def _text(raw: Raw) -> str | None:
    """JSON text; None for what is absent or null."""
    text = bytes(raw).decode()
    return None if text in ("", "null") else text
