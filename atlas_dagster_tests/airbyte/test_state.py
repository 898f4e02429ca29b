from __future__ import annotations

import json

import pytest

from atlas_dagster.airbyte import state
from atlas_dagster.airbyte.state import Entry
from atlas_dagster.errors import ConfigError
from atlas_dagster.warehouse import PgConnection


def stream_entry(name: str, value: str, kind: str = "STREAM") -> Entry:
    return Entry(kind, "", name, value)


def exported(warehouse: PgConnection) -> object:
    return json.loads(state.export(warehouse, "c"))


def test_the_newest_versions_are_kept_and_older_ones_go(warehouse: PgConnection) -> None:
    for number in range(state.VERSIONS_KEPT + 5):
        state.save(warehouse, "c", [stream_entry("users", str(number))], 1)
    versions = warehouse.execute(
        "select min(version), max(version), count(*) from pipeline.connector_state"
    ).fetchone()
    assert versions == (6, 105, 100)
    (current,) = state.show(warehouse, "c")
    assert (current.version, current.state, current.job_id) == (105, "104", 1)


def test_a_state_that_is_as_it_was_gets_no_new_version(warehouse: PgConnection) -> None:
    for _ in range(2):
        state.save(warehouse, "c", [stream_entry("users", '{"a": 1}')], 1)
    assert [s.version for s in state.show(warehouse, "c")] == [1]


def test_an_export_can_be_imported_again(warehouse: PgConnection) -> None:
    state.save(warehouse, "c", [stream_entry("users", '{"n":1.50}')], 1)
    state.save(warehouse, "c", [Entry("STREAM", "ns", "orders", "2")], 1)
    before = state.export(warehouse, "c")
    assert b"1.50" in before
    assert state.reset(warehouse, "c", None) == 2
    assert exported(warehouse) == []
    assert state.import_(warehouse, "c", state.parse_exported(before)) == 2
    assert state.export(warehouse, "c") == before


def test_one_stream_can_be_reset(warehouse: PgConnection) -> None:
    state.save(warehouse, "c", [stream_entry("users", "1"), stream_entry("orders", "2")], 1)
    assert state.reset(warehouse, "c", ("users", None)) == 1
    stream = {"stream_descriptor": {"name": "orders"}, "stream_state": 2}
    assert exported(warehouse) == [{"type": "STREAM", "stream": stream}]


def test_a_source_that_turns_to_global_state_drops_its_stream_states(
    warehouse: PgConnection,
) -> None:
    state.save(warehouse, "c", [stream_entry("users", "1"), stream_entry("orders", "2")], 1)
    new = [Entry("GLOBAL", "", "", '{"lsn": 1}'), stream_entry("users", "3", "GLOBAL")]
    state.save(warehouse, "c", new, 2)
    states = [{"stream_descriptor": {"name": "users"}, "stream_state": 3}]
    assert exported(warehouse) == [
        {"type": "GLOBAL", "global": {"shared_state": {"lsn": 1}, "stream_states": states}}
    ]


def test_connections_do_not_see_each_others_state(warehouse: PgConnection) -> None:
    state.save(warehouse, "other", [stream_entry("users", "1")], 1)
    assert exported(warehouse) == []


@pytest.mark.parametrize("text", [b"{}", b"nonsense", b'[{"type": "STREAM"}]'])
def test_what_is_no_exported_state_is_refused(text: bytes) -> None:
    with pytest.raises(ConfigError):
        state.parse_exported(text)
