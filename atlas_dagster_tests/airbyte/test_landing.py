"""Landing tables: laid out, typed and evolved as Airbyte's destination-postgres 3.x does it."""

from __future__ import annotations

import pytest

from atlas_dagster_tests.airbyte.scripted import (
    DEDUP,
    OVERWRITE,
    Source,
    raw_record,
    record,
    table,
)

PROPERTIES = {
    "Some id": {"type": "integer"},
    "email": {"type": ["null", "string"], "format": "email"},
    "height": {"type": "number"},
    "ok": {"type": "boolean"},
    "born": {"type": "string", "format": "date"},
    "at": {"type": "string", "format": "date-time"},
    "local": {
        "type": "string",
        "format": "date-time",
        "airbyte_type": "timestamp_without_timezone",
    },
    "hour": {"type": "string", "format": "time"},
    "tags": {"type": "array"},
    "any": {},
}


def test_the_table_has_airbytes_columns_types_and_indexes(source: Source) -> None:
    source.mode = DEDUP
    source.catalog(table("1st users", PROPERTIES, key="Some id", cursor="at"))
    source.sync()
    assert source.rows(
        "select column_name, data_type, is_nullable from information_schema.columns"
        " where (table_schema, table_name) = ('landing', '_1st_users') order by ordinal_position"
    ) == [
        ("_airbyte_raw_id", "character varying", "NO"),
        ("_airbyte_extracted_at", "timestamp with time zone", "NO"),
        ("_airbyte_meta", "jsonb", "NO"),
        ("_airbyte_generation_id", "bigint", "NO"),
        ("Some_id", "bigint", "YES"),
        ("email", "character varying", "YES"),
        ("height", "numeric", "YES"),
        ("ok", "boolean", "YES"),
        ("born", "date", "YES"),
        ("at", "timestamp with time zone", "YES"),
        ("local", "timestamp without time zone", "YES"),
        ("hour", "time with time zone", "YES"),
        ("tags", "jsonb", "YES"),
        ("any", "jsonb", "YES"),
    ]
    assert source.rows(
        "select indexname, split_part(indexdef, 'USING ', 2) from pg_indexes"
        " where (schemaname, tablename) = ('landing', '_1st_users') order by 1"
    ) == [
        ("idx_cursor__1st_users", "btree (at)"),
        ("idx_extracted_at__1st_users", "btree (_airbyte_extracted_at)"),
        ("idx_pk__1st_users", 'btree ("Some_id")'),
    ]


def test_an_appended_table_has_one_index_and_no_constraint(source: Source) -> None:
    source.sync()
    assert source.rows("select indexname from pg_indexes where tablename = 'users'") == [
        ("idx_extracted_at_users",)
    ]
    assert (
        source.rows(
            "select conname from pg_constraint"
            " where conrelid = 'landing.users'::regclass and contype in ('p', 'u')"
        )
        == []
    )


def test_a_swapped_table_keeps_its_indexes_names(source: Source) -> None:
    source.mode = OVERWRITE
    source.sync(record("users", {"id": 1}))
    source.sync(record("users", {"id": 2}))
    assert source.rows("select indexname from pg_indexes where schemaname = 'landing'") == [
        ("idx_extracted_at_users",)
    ]


def test_what_airbyte_adds_to_a_row(source: Source) -> None:
    meta = {"changes": [{"field": "name", "change": "TRUNCATED", "reason": "SOURCE_X"}]}
    source.sync(
        record("users", {"id": 1, "undeclared": 1}),
        record("users", {"id": 2}, at=1_700_000_000_123, meta=meta),
    )
    first, second = source.rows(
        "select _airbyte_raw_id, _airbyte_extracted_at::text, _airbyte_meta,"
        " _airbyte_generation_id, name from landing.users order by id"
    )
    assert first[1:] == ("2023-11-14 22:13:20+00", {"sync_id": 1, "changes": []}, 0, None)
    assert second[1:3] == ("2023-11-14 22:13:20.123+00", {"sync_id": 1, **meta})
    assert first[0] < second[0]
    assert [len(part) for part in first[0].split("-")] == [8, 4, 4, 4, 12]
    assert first[0][14] == "7"
    assert first[0][19] in "89ab"


FITS = [
    ({"type": "integer"}, '"12"', "12"),
    ({"type": "integer"}, "12.0", "12"),
    ({"type": "integer"}, "-9223372036854775808", "-9223372036854775808"),
    ({"type": "number"}, "0.30000000000000004", "0.30000000000000004"),
    ({"type": "number"}, '"1.50"', "1.50"),
    ({"type": "string"}, "1.50", "1.50"),
    ({"type": "string"}, "true", "true"),
    ({"type": "string"}, '"00501"', "00501"),
    ({"type": "string"}, '""', ""),
    ({"type": "string"}, '{"a": 1}', '{"a": 1}'),
    ({"type": "string", "format": "date"}, '"2024/02/29"', "2024-02-29"),
    ({"type": "string", "format": "date-time"}, '"2024-01-02T03:04:05"', "2024-01-02 03:04:05+00"),
    (
        {"type": "string", "format": "date-time"},
        '"2024-01-02T03:04:05.5+02:00"',
        "2024-01-02 01:04:05.5+00",
    ),
    ({"type": "string", "format": "time"}, '"03:04:05"', "03:04:05+00"),
    ({"type": "object"}, '{"b": 1, "a": [1.0]}', '{"a": [1.0], "b": 1}'),
    ({"oneOf": [{"type": "object"}, {"type": "string"}]}, '"text"', '"text"'),
    ({}, "[1]", "[1]"),
]


def test_values_that_fit_their_types(source: Source) -> None:
    fields = {f"x{n}": schema for n, (schema, _, _) in enumerate(FITS)}
    values = ", ".join(f'"x{n}": {value}' for n, (_, value, _) in enumerate(FITS))
    source.catalog(table("users", fields, key=None))
    source.sync(raw_record("users", f"{{{values}}}"))
    columns = ", ".join(f"{name}::text" for name in fields)
    (stored,) = source.rows(f"select {columns} from landing.users")
    assert list(stored) == [text for _, _, text in FITS]
    assert source.rows("select _airbyte_meta -> 'changes' from landing.users") == [([],)]


DOES_NOT_FIT = [
    ({"type": "integer"}, "12.5"),
    ({"type": "integer"}, '"twelve"'),
    ({"type": "integer"}, '"0x1F"'),
    ({"type": "integer"}, "true"),
    ({"type": "number"}, '"Infinity"'),
    ({"type": "boolean"}, '"true"'),
    ({"type": "boolean"}, "1"),
    ({"type": "string", "format": "date"}, '"now"'),
    ({"type": "string", "format": "date"}, '"2023-02-29"'),
    ({"type": "string", "format": "date-time"}, '"infinity"'),
    ({"type": "string", "format": "date-time"}, '"epoch"'),
    ({"type": "string", "format": "date-time"}, "1700000000"),
    ({"type": "object"}, '"text"'),
    ({"type": ["null", "array"]}, '{"a": 1}'),
]


def test_values_that_do_not_fit_are_nulled_and_noted(source: Source) -> None:
    fields = {f"x{n}": schema for n, (schema, _) in enumerate(DOES_NOT_FIT)}
    values = ", ".join(f'"x{n}": {value}' for n, (_, value) in enumerate(DOES_NOT_FIT))
    nulls = ", ".join(f'"{name}": null' for name in fields)
    source.catalog(table("users", fields, key=None))
    source.sync(raw_record("users", f"{{{values}}}"), raw_record("users", f"{{{nulls}}}"))
    assert source.rows(f"select num_nulls({', '.join(fields)}) from landing.users") == [
        (len(fields),),
        (len(fields),),
    ]
    reason = "DESTINATION_SERIALIZATION_ERROR"
    assert source.rows(
        "select _airbyte_meta -> 'changes' from landing.users order by _airbyte_raw_id"
    ) == [
        ([{"field": name, "change": "NULLED", "reason": reason} for name in fields],),
        ([],),
    ]


def test_the_table_follows_the_catalog(source: Source) -> None:
    source.catalog(
        table("users", {"id": {"type": "integer"}, "gone": {}, "age": {"type": "integer"}})
    )
    source.sync(record("users", {"id": 1, "gone": 1, "age": 30}))
    source.catalog(
        table("users", {"id": {"type": "integer"}, "age": {"type": "string"}, "new": {}})
    )
    source.config = {"changed": "so that the catalog is asked anew"}
    source.sync(record("users", {"id": 2, "age": "old", "new": [1]}))
    assert source.rows(
        "select to_jsonb(u) - '{_airbyte_raw_id,_airbyte_extracted_at,_airbyte_meta}'::text[]"
        " from landing.users u order by id"
    ) == [
        ({"_airbyte_generation_id": 0, "id": 1, "age": "30", "new": None},),
        ({"_airbyte_generation_id": 0, "id": 2, "age": "old", "new": [1]},),
    ]


def test_a_column_that_cannot_become_its_new_type_fails_the_sync(source: Source) -> None:
    source.sync(record("users", {"id": 1, "name": "Anna"}))
    source.catalog(table("users", {"id": {"type": "integer"}, "name": {"type": "integer"}}))
    source.config = {"changed": "so that the catalog is asked anew"}
    sync = source.sync(record("users", {"id": 2}))
    assert sync.failure is not None
    assert sync.failure.startswith("landing.users: column name cannot become bigint: ")
    assert source.rows("select id, name from landing.users") == [(1, "Anna")]


def test_a_table_that_is_not_airbytes_is_left_alone(source: Source) -> None:
    source.execute("create schema landing; create table landing.users (id int)")
    sync = source.sync(record("users", {"id": 1}))
    assert sync.failure == (
        "table landing.users already exists and does not contain Airbyte's internal columns"
    )


def test_a_table_that_a_view_needs_cannot_be_overwritten(source: Source) -> None:
    source.mode = OVERWRITE
    source.sync(record("users", {"id": 1}))
    source.execute("create view landing.ours as select id from landing.users")
    sync = source.sync(record("users", {"id": 2}))
    assert sync.failure == (
        "table landing.users cannot be replaced: other objects depend on it"
        " (view landing.ours depends on table landing.users)"
    )
    assert source.rows("select id from landing.users") == [(1,)]


@pytest.mark.parametrize("name", ["import", "e2e/data-x y", "表", 'quo"te', "%s", "{}", "x" * 200])
def test_any_stream_and_property_name_lands(source: Source, name: str) -> None:
    source.mode = DEDUP
    source.catalog(table(name, {name: {"type": "integer"}}, key=name, cursor=name))
    sync = source.sync(record(name, {name: 1}), record(name, {name: 1}), record(name, {name: "x"}))
    assert sync.failure is None
    assert source.rows("select records_committed from pipeline.sync_stream") == [(3,)]
