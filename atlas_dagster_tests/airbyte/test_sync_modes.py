"""Modes, generations and states: which rows stand after which syncs."""

from __future__ import annotations

from typing import Any

from atlas_dagster.catalog import DestinationMode, SyncMode
from atlas_dagster_tests.airbyte.scripted import (
    APPEND,
    DEDUP,
    EMITTED_AT,
    OVERWRITE,
    Source,
    global_state,
    record,
    state,
    table,
)

ITEMS = table("items", {"id": {"type": "integer"}, "at": {"type": "integer"}, "v": {}}, cursor="at")


def items(source: Source) -> list[tuple[Any, ...]]:
    return source.rows("select id, at, v from landing.items order by id, at, _airbyte_raw_id")


def item(id_: int | None, at: int | None, value: str, *, emitted: int = 0) -> Any:
    return record("items", {"id": id_, "at": at, "v": value}, at=EMITTED_AT + emitted)


def test_append_keeps_every_record(source: Source) -> None:
    source.catalog(ITEMS)
    source.sync(item(1, 1, "a"), item(1, 1, "a"))
    source.sync(item(1, 2, "b"))
    assert items(source) == [(1, 1, "a"), (1, 1, "a"), (1, 2, "b")]


def test_dedup_keeps_the_greatest_cursor_then_the_latest_extraction_then_the_last_come(
    source: Source,
) -> None:
    source.mode = DEDUP
    source.catalog(ITEMS)
    steps = [
        *(item(1, 5, "kept"), item(1, 4, "older cursor")),
        *(item(2, 1, "later", emitted=9), item(2, 1, "earlier")),
        *(item(3, 1, "first"), item(3, 1, "last come")),
        *(item(4, None, "no cursor"), item(4, 0, "cursor")),
    ]
    expected = [(1, 5, "kept"), (2, 1, "later"), (3, 1, "last come"), (4, 0, "cursor")]
    source.sync(*steps)
    assert items(source) == expected
    for step in steps:  # one record a sync gives what one batch gave
        source.sync(step)
    assert items(source) == expected


def test_dedup_takes_null_keys_for_one_key(source: Source) -> None:
    source.mode = DEDUP
    source.catalog(ITEMS)
    source.sync(item(None, 1, "a"), item(None, 2, "b"), item(7, 1, "c"))
    source.sync(item(None, 3, "d"))
    assert items(source) == [(7, 1, "c"), (None, 3, "d")]


def test_dedup_goes_by_all_columns_of_a_composite_key(source: Source) -> None:
    source.mode = DEDUP
    source.catalog({**ITEMS, "source_defined_primary_key": [["id"], ["at"]]})
    source.sync(item(1, 1, "a"), item(1, 2, "b"), item(1, 1, "c"))
    assert items(source) == [(1, 1, "c"), (1, 2, "b")]


def test_a_cdc_deletion_removes_the_row_where_it_is_newer(source: Source) -> None:
    source.mode = DEDUP
    properties = {
        "id": {"type": "integer"},
        "lsn": {"type": "integer"},
        "_ab_cdc_deleted_at": {"type": "string"},
    }
    source.catalog(table("items", properties, cursor="lsn"))
    alive = {"_ab_cdc_deleted_at": None}
    dead = {"_ab_cdc_deleted_at": "2024-01-01"}
    source.sync(*(record("items", {"id": i, "lsn": 5, **alive}) for i in (1, 2)))
    source.sync(
        *(record("items", {"id": i, "lsn": n, **dead}) for i, n in ((1, 6), (2, 4), (3, 1)))
    )
    assert source.rows("select id from landing.items") == [(2,)]


def test_overwrite_replaces_the_table_and_counts_generations(source: Source) -> None:
    source.mode = OVERWRITE
    source.catalog(ITEMS)
    for value in ("a", "b"):
        source.sync(item(1, 1, value))
    assert items(source) == [(1, 1, "b")]
    assert source.rows("select _airbyte_generation_id from landing.items") == [(2,)]
    assert source.seen("catalog")["streams"][0]["minimum_generation_id"] == 2
    assert source.rows("select generation_id, minimum_generation_id from pipeline.sync_stream") == [
        (1, 1),
        (2, 2),
    ]


def test_an_overwrite_without_records_empties_the_table(source: Source) -> None:
    source.mode = OVERWRITE
    source.catalog(ITEMS)
    source.sync(item(1, 1, "a"))
    source.scenario["steps"] = []
    source.sync()
    assert items(source) == []


def test_overwrite_dedup_keeps_one_row_a_key(source: Source) -> None:
    source.mode = (SyncMode.FULL_REFRESH, DestinationMode.OVERWRITE_DEDUP)
    source.catalog(ITEMS)
    source.sync(item(1, 1, "gone"))
    source.sync(item(2, 1, "a"), item(2, 2, "b"), state("items", 1), item(2, 3, "c"))
    assert items(source) == [(2, 3, "c")]
    (told,) = source.seen("catalog")["streams"]
    assert told["destination_sync_mode"] == "overwrite"  # the protocol has no other name for it


def test_full_refresh_append_piles_up_by_generation(source: Source) -> None:
    source.mode = (SyncMode.FULL_REFRESH, DestinationMode.APPEND)
    source.catalog(ITEMS)
    for value in ("a", "b"):
        source.sync(item(1, 1, value))
    assert source.rows("select v, _airbyte_generation_id from landing.items order by 2") == [
        ("a", 1),
        ("b", 2),
    ]


def test_the_state_of_a_full_refresh_stream_is_not_fed_back(source: Source) -> None:
    source.mode = OVERWRITE
    source.catalog(ITEMS)
    source.sync(item(1, 1, "a"), state("items", {"done": True}))
    source.sync(item(1, 1, "b"))
    assert source.seen("state") == []


def test_an_incremental_stream_gets_its_last_state_back_word_for_word(source: Source) -> None:
    source.catalog(ITEMS)
    value = {"__ab_x": 1.50, "text": "é", "deep": [{"a": None}]}
    source.sync(item(1, 1, "a"), state("items", 1), item(2, 1, "b"), state("items", value))
    source.sync(item(3, 1, "c"))
    assert source.seen("state") == [
        {
            "type": "STREAM",
            "stream": {"stream_descriptor": {"name": "items"}, "stream_state": value},
        }
    ]


def test_a_global_state_covers_all_streams_and_comes_back_whole(source: Source) -> None:
    source.mode = APPEND
    source.catalog(ITEMS, table("users", {"id": {"type": "integer"}}))
    source.sync(
        *(item(1, 1, "a"), record("users", {"id": 1})),
        global_state({"lsn": 7}, {"items": {"i": 1}, "users": {"u": 1}}),
        *(item(2, 1, "b"), {"exit": 1}),
    )
    assert items(source) == [(1, 1, "a")]
    assert source.rows("select id from landing.users") == [(1,)]
    source.sync(item(2, 1, "b"))
    states = [
        {"stream_descriptor": {"name": "items"}, "stream_state": {"i": 1}},
        {"stream_descriptor": {"name": "users"}, "stream_state": {"u": 1}},
    ]
    assert source.seen("state") == [
        {"type": "GLOBAL", "global": {"shared_state": {"lsn": 7}, "stream_states": states}}
    ]


def test_a_legacy_state_comes_back(source: Source) -> None:
    source.catalog(ITEMS)
    source.sync(item(1, 1, "a"), {"say": {"type": "STATE", "state": {"data": {"cursor": 1}}}})
    source.sync(item(2, 1, "b"))
    assert source.seen("state") == [{"type": "LEGACY", "data": {"cursor": 1}}]


def test_a_source_that_mixes_kinds_of_state_is_stopped(source: Source) -> None:
    source.catalog(ITEMS)
    sync = source.sync(state("items", 1), global_state({}, {}))
    assert sync.failure == "the connector mixes STREAM and GLOBAL states"


def test_what_the_ledger_says_of_a_sync(source: Source) -> None:
    source.catalog(ITEMS)
    day = 86_400_000
    source.sync(item(1, 3, "a"), item(2, 9, "b", emitted=day), state("items", 1))
    assert source.rows(
        "select status, records_emitted, records_committed, bytes_committed, touched_days::text,"
        " cursor_value, first_extracted_at::date::text from pipeline.sync_stream"
    ) == [("complete", 2, 2, 56, "{2023-11-14,2023-11-15}", "9", "2023-11-14")]


def test_rows_wait_in_staging_until_a_state_covers_them(source: Source) -> None:
    source.catalog(ITEMS)
    big = "x" * 300_000
    steps = [item(n, 1, big) for n in range(40)]  # three times what is flushed at once
    source.sync(*steps, {"exit": 1})
    assert items(source) == []
    source.sync(*steps, state("items", 1), {"exit": 1})
    assert len(items(source)) == 40


def test_streams_of_one_name_in_two_namespaces_stay_apart(source: Source) -> None:
    first = {**ITEMS, "namespace": "a"}
    second = {**ITEMS, "name": "others", "namespace": "b"}
    source.catalog(first, second)
    source.sync(
        record("items", {"id": 1}, namespace="a"),
        record("items", {"id": 2}, namespace="b"),
        record("others", {"id": 3}, namespace="b"),
    )
    assert source.rows("select id from landing.items") == [(1,)]
    assert source.rows("select id from landing.others") == [(3,)]
