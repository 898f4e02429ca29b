"""The state that an Airbyte server has of a connection, as it is kept in the warehouse."""

from __future__ import annotations

import json
from typing import Any

import pytest

from atlas_dagster.airbyte import state
from atlas_dagster.airbyte.server_state import import_state, keep_state, reset_state
from atlas_dagster.airbyte.state import Entry
from atlas_dagster.errors import AirbyteError, BusyError, ConfigError
from atlas_dagster.warehouse import PgConnection
from atlas_dagster_tests.airbyte.api import open_api
from atlas_dagster_tests.airbyte_server.double import AirbyteDouble
from atlas_dagster_tests.airbyte_server.ledger import stream

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


SHARED = Entry("GLOBAL", "", "", '{"lsn": 1}')
USERS, EU_USERS = (Entry("GLOBAL", place, "users", "3") for place in ("", "eu"))
ORDERS = Entry("STREAM", "", "orders", '{"cursor": 7}')


def test_a_global_state_is_replaced_as_a_whole(
    airbyte_server: AirbyteDouble, warehouse: PgConnection
) -> None:
    api = open_api(airbyte_server)
    assert import_state(api, warehouse, CONNECTION, [SHARED, USERS]) == 2
    import_state(api, warehouse, CONNECTION, [SHARED, EU_USERS])
    descriptor = {"name": "users", "namespace": "eu"}
    assert airbyte_server.ledger.states[CONNECTION]["globalState"] == {
        "shared_state": {"lsn": 1},
        "streamStates": [{"streamDescriptor": descriptor, "streamState": 3}],
    }
    streams = [{"stream_descriptor": descriptor, "stream_state": 3}]
    assert exported(warehouse) == [
        {"type": "GLOBAL", "global": {"shared_state": {"lsn": 1}, "stream_states": streams}}
    ]


def test_a_stream_that_is_reset_leaves_the_shared_state_and_other_namespaces(
    airbyte_server: AirbyteDouble, warehouse: PgConnection
) -> None:
    api = open_api(airbyte_server)
    import_state(api, warehouse, CONNECTION, [SHARED, USERS, EU_USERS])
    assert reset_state(api, warehouse, CONNECTION, ("users", "eu")) == 1
    assert airbyte_server.ledger.states[CONNECTION]["globalState"]["shared_state"] == {"lsn": 1}
    (kept,) = exported(warehouse)[0]["global"]["stream_states"]
    assert kept["stream_descriptor"] == {"name": "users"}


def test_all_is_forgotten_by_a_reset_of_all_and_by_an_empty_import(
    airbyte_server: AirbyteDouble, warehouse: PgConnection
) -> None:
    api = open_api(airbyte_server)
    import_state(api, warehouse, CONNECTION, [SHARED, USERS])
    assert reset_state(api, warehouse, CONNECTION, None) == 2
    assert reset_state(api, warehouse, CONNECTION, None) == 0
    import_state(api, warehouse, CONNECTION, [ORDERS])
    assert import_state(api, warehouse, CONNECTION, []) == 0
    assert airbyte_server.ledger.states[CONNECTION] == {"stateType": "not_set"}
    assert exported(warehouse) == []


def test_a_legacy_state_gives_way_to_one_by_stream(
    airbyte_server: AirbyteDouble, warehouse: PgConnection
) -> None:
    airbyte_server.ledger.states[CONNECTION] = {"stateType": "legacy", "state": {"old": 1}}
    import_state(open_api(airbyte_server), warehouse, CONNECTION, [ORDERS])
    assert airbyte_server.ledger.states[CONNECTION]["stateType"] == "stream"


def test_a_state_of_another_type_is_refused_before_airbyte_does(
    airbyte_server: AirbyteDouble, warehouse: PgConnection
) -> None:
    api = open_api(airbyte_server)
    import_state(api, warehouse, CONNECTION, [ORDERS])
    with pytest.raises(ConfigError, match=r"of type STREAM .* of type GLOBAL: reset it first$"):
        import_state(api, warehouse, CONNECTION, [SHARED])
    assert airbyte_server.ledger.states[CONNECTION]["stateType"] == "stream"


def test_state_is_not_changed_while_airbyte_syncs(
    airbyte_server: AirbyteDouble, warehouse: PgConnection
) -> None:
    shop = airbyte_server.ledger.add_connection("shop", stream("orders"))
    api = open_api(airbyte_server)
    api.start_sync(shop.id)
    with pytest.raises(BusyError, match=r"^Airbyte is syncing the connection"):
        import_state(api, warehouse, shop.id, [ORDERS])
