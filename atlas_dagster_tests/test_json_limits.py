"""What a JSON schema says of a property's values, read as far as it can be checked."""

from __future__ import annotations

from typing import Any

import pytest

from atlas_dagster.catalog_answers import parse_columns
from atlas_dagster.json_limits import ValueLimits, may_be_null, spelled_out, value_limits

STRING = {"type": "string"}
NULL = {"type": "null"}


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({"pattern": "^a"}, ValueLimits(pattern="^a")),
        ({"enum": ["a", "b"]}, ValueLimits(values=("a", "b"))),
        ({"enum": ["a", None]}, ValueLimits(values=("a",))),
        ({"const": "a"}, ValueLimits(values=("a",))),
        ({"enum": [1, 2.5, True]}, ValueLimits(values=(1, 2.5, True))),
        ({"minimum": 0, "maximum": 9.5}, ValueLimits(minimum=0, maximum=9.5)),
        (
            {"exclusiveMinimum": 0, "exclusiveMaximum": 1},
            ValueLimits(exclusive_minimum=0, exclusive_maximum=1),
        ),
        (
            {"minimum": 0, "exclusiveMinimum": True, "maximum": 1, "exclusiveMaximum": False},
            ValueLimits(exclusive_minimum=0, maximum=1),
        ),
        ({"minLength": 1, "maxLength": 2.0}, ValueLimits(min_length=1, max_length=2)),
    ],
)
def test_the_limits_of_a_schema_are_read(schema: dict[str, Any], expected: ValueLimits) -> None:
    assert value_limits({**STRING, **schema}) == expected


@pytest.mark.parametrize(
    "schema",
    [
        {},
        {"pattern": 7},
        {"pattern": ""},
        {"minimum": "1"},
        {"maximum": True},
        {"minLength": -1},
        {"maxLength": 1.5},
        {"maxLength": float("inf")},
        {"enum": "a"},
        {"enum": [None]},
        {"enum": ["a", {"b": 1}]},
        {"enum": list(range(1001))},
    ],
)
def test_a_keyword_that_cannot_be_checked_limits_nothing(schema: dict[str, Any]) -> None:
    assert value_limits({**STRING, **schema}) is None


def test_a_union_with_null_is_read_as_what_is_not_null() -> None:
    email = {"anyOf": [NULL, {**STRING, "format": "email", "maxLength": 9}], "description": "x"}
    assert spelled_out(email)["format"] == "email"
    assert spelled_out(email)["description"] == "x"
    assert value_limits(spelled_out(email)) == ValueLimits(max_length=9)


def test_a_union_of_several_limits_nothing() -> None:
    either = {"oneOf": [{**STRING, "maxLength": 9}, {"type": "integer", "maximum": 9}]}
    assert value_limits(spelled_out(either)) is None


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        (STRING, False),
        ({"type": ["string"]}, False),
        ({"type": ["null", "string"]}, True),
        (NULL, True),
        ({}, True),
        ("string", True),
        ({**STRING, "nullable": True}, True),
        ({"anyOf": [STRING, NULL]}, True),
        ({"oneOf": [STRING, {"type": "integer"}]}, False),
    ],
)
def test_a_property_may_be_null_unless_its_schema_says_otherwise(
    schema: object, expected: bool
) -> None:
    assert may_be_null(schema) is expected


def test_columns_carry_what_their_schema_says_of_values() -> None:
    size, note = parse_columns(
        {
            "properties": {
                "size": {"type": "integer", "minimum": 1},
                "note": {"type": ["null", "string"]},
            }
        },
        None,
    )
    assert (size.nullable, size.limits) == (False, ValueLimits(minimum=1))
    assert (note.nullable, note.limits) == (True, None)
