"""The state that an Airbyte server has of a connection, as it is kept in the warehouse."""

from __future__ import annotations

import json
from typing import Any

import pytest

from atlas_dagster.airbyte import state
from atlas_dagster.airbyte.server_state import keep_state
from atlas_dagster.errors import AirbyteError
from atlas_dagster.warehouse import PgConnection

CONNECTION = "c-1"
BIG = "12345678901234567890.000000000000000000001"


def piece(name: str, cursor: str, namespace: str | None = None) -> str:
    descriptor = {"name": name, **({"namespace": namespace} if namespace else {})}
    state_ = f'"streamState": {{"cursor": {cursor}}}'
    return f'{{"streamDescriptor": {json.dumps(descriptor)}, {state_}}}'


def of_streams(*pieces: str) -> bytes:
    """An answer of `state/get` for a source that has state by stream."""
    return f'{{"stateType": "stream", "streamState": [{",".join(pieces)}]}}'.encode()


def of_all(shared: str, *pieces: str) -> bytes:
    """An answer of `state/get` for a source that has one state for all streams."""
    state_ = f'{{"shared_state": {shared}, "streamStates": [{",".join(pieces)}]}}'
    return f'{{"stateType": "global", "globalState": {state_}}}'.encode()


def exported(warehouse: PgConnection) -> Any:
    return json.loads(state.export(warehouse, CONNECTION))


def test_state_by_stream_is_kept_to_the_last_digit_with_version_and_job(
    warehouse: PgConnection,
) -> None:
    keep_state(warehouse, CONNECTION, of_streams(piece("users", BIG, "eu"), piece("b", "1")), 7)
    keep_state(warehouse, CONNECTION, of_streams(piece("users", BIG, "eu"), piece("b", "2")), 8)
    found = {s.name: (s.version, s.job_id, s.state) for s in state.show(warehouse, CONNECTION)}
    assert found == {
        "users": (1, 7, f'{{"cursor": {BIG}}}'),
        "b": (2, 8, '{"cursor": 2}'),
    }


def test_state_of_all_streams_is_exported_as_airbyte_takes_it(warehouse: PgConnection) -> None:
    keep_state(warehouse, CONNECTION, of_all('{"lsn": 5}', piece("users", "1")), 7)
    assert exported(warehouse) == [
        {
            "type": "GLOBAL",
            "global": {
                "shared_state": {"lsn": 5},
                "stream_states": [
                    {"stream_descriptor": {"name": "users"}, "stream_state": {"cursor": 1}}
                ],
            },
        }
    ]


def test_an_old_state_is_kept_as_it_is(warehouse: PgConnection) -> None:
    keep_state(warehouse, CONNECTION, b'{"stateType": "legacy", "state": {"a": 1}}', 7)
    assert exported(warehouse) == [{"type": "LEGACY", "data": {"a": 1}}]


@pytest.mark.parametrize(
    "answer", [b'{"stateType": "not_set"}', b"{}", of_streams(), of_streams(piece("b", "1"))]
)
def test_what_the_server_has_forgotten_is_forgotten(warehouse: PgConnection, answer: bytes) -> None:
    keep_state(warehouse, CONNECTION, of_streams(piece("users", "1")), 7)
    keep_state(warehouse, CONNECTION, answer, 8)
    assert "users" not in str(exported(warehouse))


@pytest.mark.parametrize(
    "answer", [b"[]", b'{"stateType": "stream", "streamState": [{"streamState": {}}]}']
)
def test_what_is_no_state_changes_nothing(warehouse: PgConnection, answer: bytes) -> None:
    keep_state(warehouse, CONNECTION, of_streams(piece("users", "1")), 7)
    with pytest.raises(AirbyteError, match=r"^Airbyte describes state in a way that is not known"):
        keep_state(warehouse, CONNECTION, answer, 8)
    assert "users" in str(exported(warehouse))
