"""A connector's configuration against its spec: what is wrong, which values are secret."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, cast

from atlas_dagster.config import JsonValue

Schema = Mapping[str, Any]

_KINDS: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "boolean": (bool,),
    "object": (dict,),
    "array": (list,),
    "null": (type(None),),
}


def problem(value: JsonValue, schema: Schema, key: str) -> str | None:
    """The first thing wrong with a value, as ``key: expected …``; None where it is valid.

    Reads the part of JSON Schema (draft 7) that connector specs use. Values are never quoted:
    they may be secret.
    """
    return next(_problems(value, schema, key), None)


def secrets(value: JsonValue, schema: Schema) -> Iterator[str]:
    """The texts that stand in ``airbyte_secret`` properties, those of every ``oneOf`` included."""
    if schema.get("airbyte_secret"):
        yield from texts(value)
        return
    for option in _options(schema):
        yield from secrets(value, option)
    if isinstance(value, dict):
        properties = cast("Mapping[str, Schema]", schema.get("properties") or {})
        for name, item in value.items():
            yield from secrets(item, properties.get(name) or {})
    if isinstance(value, list):
        for item in value:
            yield from secrets(item, _items(schema))


def texts(value: JsonValue) -> Iterator[str]:
    """Every scalar within a value, as text."""
    if isinstance(value, dict):
        for item in value.values():
            yield from texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from texts(item)
    elif value is not None and not isinstance(value, bool):
        yield str(value)


def kinds_at(schema: Schema, path: tuple[str, ...]) -> set[str]:
    """The JSON types that a spec allows at a path of property names."""
    if not path:
        declared = schema.get("type")
        own = {declared} if isinstance(declared, str) else set(cast("list[str]", declared or []))
        return own.union(*(kinds_at(option, ()) for option in _options(schema)))
    found: set[str] = set()
    properties = cast("Mapping[str, Schema]", schema.get("properties") or {})
    if path[0] in properties:
        found |= kinds_at(properties[path[0]], path[1:])
    elif path[0] == "[]":
        found |= kinds_at(_items(schema), path[1:])
    return found.union(*(kinds_at(option, path) for option in _options(schema)))


def _problems(value: JsonValue, schema: Schema, key: str) -> Iterator[str]:
    yield from _type_problems(value, schema, key)
    yield from _constant_problems(value, schema, key)
    if isinstance(value, dict):
        yield from _object_problems(value, schema, key)
    elif isinstance(value, list):
        for position, item in enumerate(value):
            yield from _problems(item, _items(schema), f"{key}[{position}]")
    elif isinstance(value, str):
        yield from _text_problems(value, schema, key)
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        yield from _number_problems(value, schema, key)
    yield from _composed_problems(value, schema, key)


def _type_problems(value: JsonValue, schema: Schema, key: str) -> Iterator[str]:
    declared = schema.get("type")
    if declared is None:
        return
    kinds = [declared] if isinstance(declared, str) else cast("list[str]", declared)
    if not any(_is_kind(value, kind) for kind in kinds):
        yield f"{key}: expected {' or '.join(kinds)}, found {kind_of(value)}"


def kind_of(value: JsonValue) -> str:
    """The JSON type of a value."""
    return next(
        kind
        for kind in ("boolean", "null", "integer", "number", "string", "array", "object")
        if _is_kind(value, kind)
    )


def _is_kind(value: JsonValue, kind: str) -> bool:
    if kind in ("integer", "number"):
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        return number and (kind == "number" or float(cast("float", value)).is_integer())
    return isinstance(value, _KINDS.get(kind, (object,)))


def _constant_problems(value: JsonValue, schema: Schema, key: str) -> Iterator[str]:
    if "const" in schema and value != schema["const"]:
        yield f"{key}: expected {schema['const']!r}"
    if "enum" in schema and value not in schema["enum"]:
        yield f"{key}: expected one of {', '.join(map(str, schema['enum']))}"


def _object_problems(value: dict[str, JsonValue], schema: Schema, key: str) -> Iterator[str]:
    properties = cast("Mapping[str, Schema]", schema.get("properties") or {})
    for name in cast("list[str]", schema.get("required") or []):
        if name not in value:
            yield f"{key}.{name}: required and missing"
    for name, item in value.items():
        if name in properties:
            yield from _problems(item, properties[name], f"{key}.{name}")
        elif schema.get("additionalProperties") is False and not name.startswith("__"):
            yield f"{key}.{name}: not a property of this connector"


def _text_problems(value: str, schema: Schema, key: str) -> Iterator[str]:
    if len(value) < schema.get("minLength", 0):
        yield f"{key}: expected at least {schema['minLength']} characters"
    if "maxLength" in schema and len(value) > schema["maxLength"]:
        yield f"{key}: expected at most {schema['maxLength']} characters"
    pattern = schema.get("pattern")
    if pattern:
        try:
            matches = re.search(str(pattern), value) is not None
        except re.error:  # a Java or JavaScript pattern that Python does not read
            return
        if not matches:
            yield f"{key}: expected a text that matches {pattern}"


def _number_problems(value: float, schema: Schema, key: str) -> Iterator[str]:
    if "minimum" in schema and value < schema["minimum"]:
        yield f"{key}: expected at least {schema['minimum']}"
    if "maximum" in schema and value > schema["maximum"]:
        yield f"{key}: expected at most {schema['maximum']}"
    lower, upper = schema.get("exclusiveMinimum"), schema.get("exclusiveMaximum")
    if isinstance(lower, (int, float)) and value <= lower:
        yield f"{key}: expected above {lower}"
    if isinstance(upper, (int, float)) and value >= upper:
        yield f"{key}: expected below {upper}"


def _composed_problems(value: JsonValue, schema: Schema, key: str) -> Iterator[str]:
    for option in cast("list[Schema]", schema.get("allOf") or []):
        yield from _problems(value, option, key)
    for keyword in ("oneOf", "anyOf"):
        options = cast("list[Schema]", schema.get(keyword) or [])
        found = [problem(value, option, key) for option in options]
        if options and all(found):
            chosen = next(
                (p for o, p in zip(options, found, strict=True) if _is_meant(value, o)), None
            )
            yield chosen or f"{key}: expected one of {_titles(options)}"


def _is_meant(value: JsonValue, option: Schema) -> bool:
    """Whether a value carries the constants by which an option of a oneOf is told."""
    if not isinstance(value, dict):
        return False
    properties = cast("Mapping[str, Schema]", option.get("properties") or {})
    constants = {name: p["const"] for name, p in properties.items() if "const" in p}
    return bool(constants) and all(value.get(name) == text for name, text in constants.items())


def _titles(options: list[Schema]) -> str:
    return ", ".join(str(o.get("title") or o.get("type") or "another form") for o in options)


def _options(schema: Schema) -> list[Schema]:
    return [
        option
        for keyword in ("oneOf", "anyOf", "allOf")
        for option in cast("list[Schema]", schema.get(keyword) or [])
    ]


def _items(schema: Schema) -> Schema:
    items = schema.get("items")
    return cast("Schema", items) if isinstance(items, Mapping) else {}
