"""Columns come, go, come back and change their type; chart and navigate keep what they mean."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from atlas_dagster.catalog import Stream
from atlas_dagster.json_schema import ColumnType, wider_type
from atlas_dagster.layers.history_rules import history_rules
from atlas_dagster.layers.stream_columns import load_changes, register_columns, registered_stream
from atlas_dagster.rules import StreamRules
from atlas_dagster.warehouse import PgConnection
from atlas_dagster_tests.layers.support import (
    at,
    chart,
    insert_explore,
    make_stream,
    navigate,
    read_navigate,
    rows,
    start_layers,
)
from atlas_dagster_tests.properties.oracle import Version

INTEGER, NUMBER, TEXT = {"type": "integer"}, {"type": "number"}, {"type": "string"}
DATE = {"type": "string", "format": "date"}
INSTANT = {"type": "string", "format": "date-time"}
OBJECT, BOOLEAN = {"type": "object"}, {"type": "boolean"}


@pytest.fixture(autouse=True)
def explore(warehouse: PgConnection) -> None:
    start_layers(warehouse, make_stream({"id": INTEGER}))


def declare(connection: PgConnection, run_id: str = "run", /, **properties: Any) -> Stream:
    """The source has these columns from now on, beside its key."""
    return register_columns(connection, make_stream({"id": INTEGER, **properties}), run_id)


def extract(connection: PgConnection, stream: Stream, day: int, **data: Any) -> None:
    """A version of key 1 of a day, through chart and navigate."""
    insert_explore(connection, stream, [Version(f"{day}", at(day), {"id": 1, **data})])
    chart(connection, stream)
    navigate(connection, stream)


def segments(connection: PgConnection, stream: Stream) -> list[tuple[int, Mapping[str, Any]]]:
    """The day on which each segment opened, and its columns."""
    found = read_navigate(connection, stream)
    return [(row.valid_from.day, {k: v for k, v in row.data.items() if k != "id"}) for row in found]


def changes(connection: PgConnection, run_id: str) -> list[str]:
    return list(map(str, load_changes(connection, make_stream({}), run_id)))


def test_the_first_columns_of_a_stream_are_no_change(warehouse: PgConnection) -> None:
    stream = declare(warehouse, "first", name=TEXT)
    assert [column.name for column in stream.columns] == ["id", "name"]
    assert changes(warehouse, "first") == []
    declare(warehouse, "second", name=TEXT)
    assert changes(warehouse, "second") == []


def test_columns_may_be_taken_up_before_anything_was_explored(warehouse: PgConnection) -> None:
    orders = make_stream({"id": INTEGER}, name="orders", slug="orders")
    assert register_columns(warehouse, orders, "run").columns == orders.columns


def test_what_changes_is_recorded_with_the_run_that_found_it(warehouse: PgConnection) -> None:
    declare(warehouse, a=TEXT, b=INTEGER)
    declare(warehouse, "second", b=NUMBER, c=DATE)
    declare(warehouse, "third", a=BOOLEAN, b=NUMBER, c=DATE)
    assert changes(warehouse, "second") == [
        "'a' is gone from the source; the layers keep it",
        "'b' was bigint, is numeric now, kept as numeric",
        "'c' was added as date",
    ]
    assert changes(warehouse, "third") == ["'a' is back as boolean, kept as varchar"]


def test_a_column_that_was_merely_added_changes_no_hash(warehouse: PgConnection) -> None:
    stream = declare(warehouse)
    extract(warehouse, stream, 1)
    before = [row["_atlas_row_hash"] for row in rows(warehouse, stream, "chart")]
    stream = declare(warehouse, age=INTEGER)
    extract(warehouse, stream, 2)
    assert [row["_atlas_row_hash"] for row in rows(warehouse, stream, "chart")] == before * 2
    extract(warehouse, stream, 3, age=7)
    assert segments(warehouse, stream) == [(1, {"age": None}), (3, {"age": 7})]


def test_a_column_that_is_removed_keeps_its_history_and_is_null_from_then_on(
    warehouse: PgConnection,
) -> None:
    extract(warehouse, declare(warehouse, age=INTEGER), 1, age=7)
    stream = declare(warehouse)
    extract(warehouse, stream, 2)
    assert segments(warehouse, stream) == [(1, {"age": 7}), (2, {"age": None})]


def test_a_column_that_is_renamed_is_one_that_goes_and_one_that_comes(
    warehouse: PgConnection,
) -> None:
    extract(warehouse, declare(warehouse, age=INTEGER), 1, age=7)
    stream = declare(warehouse, years=INTEGER)
    extract(warehouse, stream, 2, years=7)
    assert segments(warehouse, stream) == [
        (1, {"age": 7, "years": None}),
        (2, {"age": None, "years": 7}),
    ]


WIDENED: list[tuple[Any, Any, Any, Any, Any]] = [
    # declared before, its value, declared then, the same value then, how the layers hold the first
    (INTEGER, 5, NUMBER, 5.0, 5),
    (DATE, "2024-01-01", INSTANT, "2024-01-01T00:00:00Z", at(1)),
    (INSTANT, "2024-01-01T00:00:00Z", TEXT, "2024-01-01T01:00:00+01:00", "2024-01-01T00:00:00Z"),
    (INSTANT, "2024-01-01T00:00:00Z", OBJECT, "2024-01-01T00:00:00Z", "2024-01-01T00:00:00Z"),
    (INTEGER, 5, OBJECT, 5, 5),
    (BOOLEAN, True, TEXT, True, "true"),
    (TEXT, "x", INTEGER, "x", "x"),
]


@pytest.mark.parametrize("case", WIDENED, ids=range(len(WIDENED)))
def test_a_column_that_widens_keeps_its_values_and_opens_no_segment(
    warehouse: PgConnection, case: tuple[Any, Any, Any, Any, Any]
) -> None:
    before, value, after, same, held = case
    extract(warehouse, declare(warehouse, x=before), 1, x=value)
    stream = declare(warehouse, x=after)
    extract(warehouse, stream, 2, x=same)
    assert segments(warehouse, stream) == [(1, {"x": held})]


def test_a_column_that_has_widened_stays_wide(warehouse: PgConnection) -> None:
    for kind in (INTEGER, TEXT, INTEGER):
        stream = declare(warehouse, x=kind)
    assert stream.columns[1].type is ColumnType.TEXT
    for kind in (DATE, OBJECT, DATE):
        stream = declare(warehouse, x=INTEGER, y=kind)
    assert (stream.columns[2].type, stream.columns[2].was_instant) == (ColumnType.JSONB, True)


def test_a_number_that_turns_into_text_is_another_value(warehouse: PgConnection) -> None:
    extract(warehouse, declare(warehouse, x=INTEGER), 1, x=5)
    stream = declare(warehouse, x=TEXT)
    extract(warehouse, stream, 2, x="5")
    assert segments(warehouse, stream) == [(1, {"x": "5"}), (2, {"x": "5"})]


def test_a_key_goes_on_where_its_numbers_turn_into_text(warehouse: PgConnection) -> None:
    def users(kind: Mapping[str, Any]) -> Stream:
        return register_columns(warehouse, make_stream({"id": kind}), "run")

    for day, (kind, key) in enumerate([(INTEGER, 5), (NUMBER, 5.0), (TEXT, "5")], start=1):
        stream = users(kind)
        insert_explore(warehouse, stream, [Version(f"{day}", at(day), {"id": key})])
        chart(warehouse, stream)
        navigate(warehouse, stream)
    assert {row.natural_key for row in read_navigate(warehouse, stream)} == {"5"}


def test_a_value_that_did_not_fit_is_held_once_its_column_has_widened(
    warehouse: PgConnection,
) -> None:
    stream = declare(warehouse, x=INTEGER)
    extract(warehouse, stream, 1, x="five")
    (row,) = rows(warehouse, stream, "chart")
    assert (row["x"], row["_atlas_errors"]) == (None, {"x": "five"})
    stream = declare(warehouse, x=TEXT)
    result = chart(warehouse, stream)
    assert result.rebuilt == "column x became varchar"
    (row,) = rows(warehouse, stream, "chart")
    assert (row["x"], row["_atlas_errors"], row["_atlas_valid"]) == ("five", None, True)


def test_versions_that_explore_has_dropped_outlive_a_widening(warehouse: PgConnection) -> None:
    stream = declare(warehouse, x=INTEGER, born=DATE, box=OBJECT, name=TEXT)
    extract(warehouse, stream, 1, x=5, born="2024-01-01", box={"a": [1]}, name="Ann")
    extract(warehouse, stream, 2, x="six", born=None, box=None, name="Ann")
    before = read_navigate(warehouse, stream)
    warehouse.execute("delete from explore.crm__users")
    stream = declare(warehouse, x=NUMBER, born=INSTANT, box=OBJECT, name=TEXT)
    chart(warehouse, stream)
    navigate(warehouse, stream)
    after = read_navigate(warehouse, stream)
    assert [(r.raw_id, r.surrogate_key, r.row_hash) for r in after] == [
        (r.raw_id, r.surrogate_key, r.row_hash) for r in before
    ]
    assert [row.data for row in after] == [
        {"id": 1, "x": 5, "born": at(1), "box": {"a": [1]}, "name": "Ann"},
        {"id": 1, "x": None, "born": None, "box": None, "name": "Ann"},
    ]
    assert rows(warehouse, stream, "chart")[1]["_atlas_errors"] == {"x": "six"}


def test_rules_may_name_a_column_that_the_source_no_longer_has(warehouse: PgConnection) -> None:
    declare(warehouse, seen_at=INSTANT)
    declare(warehouse, seen_at=TEXT)
    stream = declare(warehouse)
    rules = history_rules(stream, StreamRules(time_column="seen_at"))
    assert rules.time is not None
    assert rules.time.was_instant


def test_two_columns_stay_two_however_often_one_of_them_goes(warehouse: PgConnection) -> None:
    long = "x" * 70
    first = declare(warehouse, **{f"{long}1": TEXT})
    second = declare(warehouse, **{f"{long}2": TEXT})
    # What is gone from the source is null from now on, whatever it was declared as.
    assert second.columns[1] == replace(first.columns[1], nullable=True)
    assert len({column.layer for column in second.columns}) == 3


def test_navigate_reads_the_columns_that_a_catalog_no_longer_has(warehouse: PgConnection) -> None:
    declare(warehouse, age=INTEGER)
    stream = declare(warehouse)
    assert registered_stream(warehouse, make_stream({"id": INTEGER})) == stream
    assert [column.name for column in stream.columns] == ["id", "age"]


def test_types_widen_to_the_same_in_any_order() -> None:
    types = list(ColumnType)
    for a in types:
        assert wider_type(a, a) is a
        for b in types:
            assert wider_type(a, b) is wider_type(b, a)
            for c in types:
                assert wider_type(wider_type(a, b), c) is wider_type(a, wider_type(b, c))
