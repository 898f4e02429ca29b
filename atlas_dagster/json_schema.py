"""JSON schema: which column type Airbyte gives a property."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum
from typing import cast


class ColumnType(str, Enum):
    """The PostgreSQL type that destination-postgres 3.x gives a property.

    Rule: airbytehq/airbyte, load CDK, data/json/JsonSchemaToAirbyteType.kt.
    """

    TEXT = "varchar"
    BIGINT = "bigint"
    NUMERIC = "numeric"
    BOOLEAN = "boolean"
    DATE = "date"
    TIMESTAMPTZ = "timestamp with time zone"
    TIMESTAMP = "timestamp without time zone"
    TIMETZ = "time with time zone"
    TIME = "time without time zone"
    JSONB = "jsonb"


INSTANT_TYPES = (ColumnType.DATE, ColumnType.TIMESTAMP, ColumnType.TIMESTAMPTZ)
"""From narrow to wide, as are the other families of types."""

_FAMILIES = (
    (ColumnType.BIGINT, ColumnType.NUMERIC),
    INSTANT_TYPES,
    (ColumnType.TIME, ColumnType.TIMETZ),
)


def wider_type(first: ColumnType, second: ColumnType) -> ColumnType:
    """The narrowest type that holds the values of both: in any order, of any number, the same."""
    if first is second:
        return first
    for family in _FAMILIES:
        if first in family and second in family:
            return max(first, second, key=family.index)
    return ColumnType.JSONB if ColumnType.JSONB in (first, second) else ColumnType.TEXT


def column_type(schema: object) -> ColumnType:
    """The column type of a JSON schema property (see ColumnType)."""
    return _declared_type(schema) or ColumnType.JSONB


def _declared_type(schema: object) -> ColumnType | None:
    """The type of a schema; None for null alone, which leaves a union without trace."""
    if isinstance(schema, str):
        return _declared_type({"type": schema})
    if not isinstance(schema, Mapping):
        return ColumnType.JSONB
    prop = json_object(cast("object", schema))
    declared = prop.get("type")
    if isinstance(declared, str):
        return _named_type(declared, prop)
    if isinstance(declared, list):
        kinds = cast("list[object]", declared)
        return _union_type(
            [{**prop, "type": kind} if isinstance(kind, str) else kind for kind in kinds]
        )
    if "$ref" in prop:
        return _WELL_KNOWN_TYPES.get(str(prop["$ref"]), ColumnType.JSONB)
    options = prop.get("oneOf", prop.get("anyOf", prop.get("allOf")))
    if isinstance(options, list):
        return _union_type(cast("list[object]", options))
    return _declared_type(options) if options is not None else ColumnType.JSONB


def _union_type(options: Sequence[object]) -> ColumnType:
    types = {_declared_type(option) for option in options} - {None}
    return (types.pop() if len(types) == 1 else None) or ColumnType.JSONB


def _named_type(name: str, prop: Mapping[str, object]) -> ColumnType | None:
    airbyte_type = prop.get("airbyte_type")
    match name, prop.get("format"):
        case "null", _:
            return None
        case "boolean", _:
            return ColumnType.BOOLEAN
        case (("integer" | "int"), _):
            return ColumnType.BIGINT
        case "number", _:
            return ColumnType.BIGINT if airbyte_type == "integer" else ColumnType.NUMERIC
        case "string", "date":
            return ColumnType.DATE
        case "string", "date-time":
            naive = airbyte_type == "timestamp_without_timezone"
            return ColumnType.TIMESTAMP if naive else ColumnType.TIMESTAMPTZ
        case "string", "time":
            naive = airbyte_type == "time_without_timezone"
            return ColumnType.TIME if naive else ColumnType.TIMETZ
        case "string", _:
            return ColumnType.TEXT
        case _:
            return ColumnType.JSONB


_WELL_KNOWN_TYPES = {
    f"WellKnownTypes.json#/definitions/{name}": kind
    for name, kind in {
        "Boolean": ColumnType.BOOLEAN,
        "Integer": ColumnType.BIGINT,
        "Number": ColumnType.NUMERIC,
        "String": ColumnType.TEXT,
        "BinaryData": ColumnType.TEXT,
        "Date": ColumnType.DATE,
        "TimestampWithTimezone": ColumnType.TIMESTAMPTZ,
        "TimestampWithoutTimezone": ColumnType.TIMESTAMP,
        "TimeWithTimezone": ColumnType.TIMETZ,
        "TimeWithoutTimezone": ColumnType.TIME,
    }.items()
}


def json_object(value: object) -> Mapping[str, object]:
    """A JSON object; anything else, which a source's schema may hold, is an empty one."""
    return cast("Mapping[str, object]", value) if isinstance(value, Mapping) else {}
