"""JSON schema to column type, as Airbyte's destination-postgres 3.x decides it."""

from __future__ import annotations

import pytest

from atlas_dagster.json_schema import ColumnType, column_type

STRING = {"type": "string"}
INTEGER = {"type": "integer"}
NULL = {"type": "null"}


def string(**keys: str) -> dict[str, str]:
    return {"type": "string", **keys}


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        (STRING, "varchar"),
        (string(format="date"), "date"),
        (string(format="date-time"), "timestamp with time zone"),
        (
            string(format="date-time", airbyte_type="timestamp_with_timezone"),
            "timestamp with time zone",
        ),
        (
            string(format="date-time", airbyte_type="timestamp_without_timezone"),
            "timestamp without time zone",
        ),
        (string(format="time"), "time with time zone"),
        (string(format="time", airbyte_type="time_with_timezone"), "time with time zone"),
        (string(format="time", airbyte_type="time_without_timezone"), "time without time zone"),
        (string(format="email"), "varchar"),
        (string(format="uuid"), "varchar"),
        (INTEGER, "bigint"),
        ({"type": "int"}, "bigint"),
        ({"type": "number", "airbyte_type": "integer"}, "bigint"),
        ({"type": "number"}, "numeric"),
        ({"type": "boolean"}, "boolean"),
        ({"type": "object", "properties": {"a": STRING}}, "jsonb"),
        ({"type": "array", "items": STRING}, "jsonb"),
        ({"type": "polygon"}, "jsonb"),
        ({}, "jsonb"),
        (True, "jsonb"),
        (None, "jsonb"),
    ],
)
def test_a_single_type(schema: object, expected: str) -> None:
    assert column_type(schema) is ColumnType(expected)


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({"type": ["null", "string"]}, "varchar"),
        ({"type": ["string", "null"], "format": "date"}, "date"),
        ({"type": ["string"]}, "varchar"),
        ({"type": ["null"]}, "jsonb"),
        ({"type": []}, "jsonb"),
        (NULL, "jsonb"),
        ({"type": ["string", "integer"]}, "jsonb"),
        ({"type": ["null", "string", "boolean"]}, "jsonb"),
        ({"type": ["integer", "number"]}, "jsonb"),
        ({"type": ["integer", "number"], "airbyte_type": "integer"}, "bigint"),
        ({"oneOf": [STRING, INTEGER]}, "jsonb"),
        ({"anyOf": [STRING, INTEGER]}, "jsonb"),
        ({"allOf": [STRING, INTEGER]}, "jsonb"),
        ({"oneOf": [NULL, string(format="date")]}, "date"),
        ({"anyOf": []}, "jsonb"),
        ({"type": "string", "oneOf": [INTEGER, STRING]}, "varchar"),
    ],
)
def test_a_union_has_a_type_only_where_one_is_left_beside_null(
    schema: object, expected: str
) -> None:
    assert column_type(schema) is ColumnType(expected)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Boolean", "boolean"),
        ("Integer", "bigint"),
        ("Number", "numeric"),
        ("String", "varchar"),
        ("BinaryData", "varchar"),
        ("Date", "date"),
        ("TimestampWithTimezone", "timestamp with time zone"),
        ("TimestampWithoutTimezone", "timestamp without time zone"),
        ("TimeWithTimezone", "time with time zone"),
        ("TimeWithoutTimezone", "time without time zone"),
        ("Colour", "jsonb"),
    ],
)
def test_a_reference_to_a_well_known_type(name: str, expected: str) -> None:
    reference = {"$ref": f"WellKnownTypes.json#/definitions/{name}"}
    assert column_type(reference) is ColumnType(expected)


def test_a_reference_to_a_type_of_the_source_is_not_well_known() -> None:
    assert column_type({"$ref": "#/definitions/String"}) is ColumnType.JSONB


def test_a_declared_type_goes_before_a_reference() -> None:
    assert column_type({"$ref": "#/definitions/Id", "type": "integer"}) is ColumnType.BIGINT
