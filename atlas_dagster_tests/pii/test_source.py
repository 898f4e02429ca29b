"""The values of a stream's fields, read out of explore."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import date
from typing import Any

import pytest
from psycopg import sql

from atlas_dagster.pii import source
from atlas_dagster.pii.source import stream_values
from atlas_dagster.pii_rules import Path
from atlas_dagster.warehouse import PgConnection
from atlas_dagster_tests.layers.support import at, insert_explore, make_stream, start_layers
from atlas_dagster_tests.properties.oracle import Version

STREAM = make_stream({"id": {"type": "integer"}, "note": {"type": "string"}})
TABLE = sql.Identifier("explore", STREAM.table_name)
ALWAYS = date.min, date.max


@pytest.fixture
def explore(warehouse: PgConnection) -> PgConnection:
    """An empty explore."""
    start_layers(warehouse, STREAM)
    return warehouse


def put(connection: PgConnection, *records: Mapping[str, Any], day: int = 1) -> None:
    versions = [Version(f"{day}-{n}", at(day), record) for n, record in enumerate(records)]
    insert_explore(connection, STREAM, versions)


def read(connection: PgConnection, days: tuple[date, date] = ALWAYS) -> dict[Path, Counter[str]]:
    with stream_values(connection, STREAM, days) as values:
        return {
            field.path: Counter(
                {value: count for chunk in field.chunks for value, count in chunk.iter_rows()}
            )
            for field in values.fields
        }


def test_each_distinct_value_of_a_field_comes_once_with_how_often_it_occurs(
    explore: PgConnection,
) -> None:
    put(explore, {"id": 1, "note": "a"}, {"id": 2, "note": "b"}, {"id": 3, "note": "a"})
    assert read(explore) == {("id",): Counter("123"), ("note",): Counter(a=2, b=1)}


def test_nested_values_are_fields_of_their_own_and_what_is_no_value_is_none(
    explore: PgConnection,
) -> None:
    put(explore, {"c": {"mails": ["x", "y", None], "on": True}}, {"c": {"mails": ["x"]}}, {"c": {}})
    assert read(explore) == {("c", "mails", "[]"): Counter(x=2, y=1)}


@pytest.mark.parametrize(
    "text",
    [
        'quote " and \\ and \\\\n',
        "tab\tline\nreturn\r",
        "\\.",
        "\\N",
        "é 表 😀 \u2028",
        "\x01\x1f\x7f",
        "",
        "x" * 1_000_000,
    ],
    ids=lambda text: repr(text[:12]),
)
def test_a_text_arrives_as_it_was_stored(explore: PgConnection, text: str) -> None:
    put(explore, {"note": text, text[:40]: "named"})
    assert read(explore) == {("note",): Counter([text]), (text[:40],): Counter(["named"])}


def test_numbers_are_the_text_that_postgres_shows(explore: PgConnection) -> None:
    put(explore, {})
    numbers = '{"n": [1.50, 1e3, -0, 12345678901234567890.10]}'
    explore.execute(sql.SQL("update {} set data = {}").format(TABLE, numbers))
    assert set(read(explore)["n", "[]"]) == {"1.50", "1000", "0", "12345678901234567890.10"}


def test_only_the_days_that_are_asked_for_are_read(explore: PgConnection) -> None:
    for day in (1, 2, 3):
        put(explore, {"note": f"day {day}"}, day=day)
    assert set(read(explore, (date(2024, 1, 2), date(2024, 1, 2)))["note",]) == {"day 2"}
    assert set(read(explore, (date(2024, 1, 2), date.max))["note",]) == {"day 2", "day 3"}
    assert read(explore, (date(2023, 1, 1), date(2023, 1, 2))) == {}


def test_an_object_with_a_key_a_record_is_one_field_and_named(explore: PgConnection) -> None:
    put(explore, *({"by": {f"key {n}": "v"}, "note": "n"} for n in range(300)))
    with stream_values(explore, STREAM, ALWAYS) as values:
        assert (values.records, values.maps) == (300, (("by",),))
    assert read(explore) == {("by", "*"): Counter(v=300), ("note",): Counter(n=300)}


def test_many_batches_are_read_as_one(
    explore: PgConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source, "BATCH_BYTES", 100)
    put(explore, *({"id": n, "note": f"{n % 7}"} for n in range(200)))
    found = read(explore)
    assert sum(found["note",].values()) == 200
    assert found["id",] == Counter(f"{n}" for n in range(200))


def test_the_connection_is_free_again_after_the_block_and_after_an_error_in_it(
    explore: PgConnection,
) -> None:
    put(explore, {"note": "a"})
    with pytest.raises(ValueError, match="of the test"), stream_values(explore, STREAM, ALWAYS):
        raise ValueError("of the test")
    assert read(explore) == {("note",): Counter("a")}
    assert explore.execute("select 1").fetchone() == (1,)


def test_an_empty_explore_has_no_fields(explore: PgConnection) -> None:
    with stream_values(explore, STREAM, ALWAYS) as values:
        assert (values.records, values.maps, list(values.fields)) == (0, (), [])


def test_days_that_python_cannot_hold_are_read_too(explore: PgConnection) -> None:
    put(explore, {"note": "old"})
    moved = "update {} set _airbyte_extracted_at = {day}, _atlas_partition = {day}"
    explore.execute(sql.SQL(moved).format(TABLE, day="4000-01-01 BC"))
    assert read(explore) == {("note",): Counter(["old"])}
