"""JSON schema: what it says of a property's values beside their type."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias, cast

from atlas_dagster.json_schema import json_object

Number: TypeAlias = int | float
Scalar: TypeAlias = bool | int | float | str

_MOST_VALUES = 1000


@dataclass(frozen=True)
class ValueLimits:
    """The values that a property may have; null, where the property may be null, is none of them.

    A schema that is no schema, such as a ``minimum`` that is a text, limits nothing.
    """

    pattern: str | None = None
    values: tuple[Scalar, ...] | None = None
    minimum: Number | None = None
    maximum: Number | None = None
    exclusive_minimum: Number | None = None
    exclusive_maximum: Number | None = None
    min_length: int | None = None
    max_length: int | None = None


_KEYWORDS = frozenset(
    {
        *("pattern", "enum", "const", "minLength", "maxLength"),
        *("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"),
    }
)
_UNIONS = ("oneOf", "anyOf", "allOf")
_NO_LIMITS = ValueLimits()


def spelled_out(schema: object) -> Mapping[str, object]:
    """A property's schema; of a union of one schema and null, that one with what is around it."""
    prop = json_object(schema)
    if "type" in prop:
        return prop
    for union in _UNIONS:
        options = prop.get(union)
        if isinstance(options, list):
            given = [o for o in map(json_object, cast("list[object]", options)) if not _is_null(o)]
            return {**prop, **given[0]} if len(given) == 1 else prop
    return prop


def may_be_null(schema: object) -> bool:
    """Whether a property may be null; one that does not say may."""
    prop = json_object(schema)
    if prop.get("nullable") is True:  # OpenAPI
        return True
    kind = prop.get("type")
    if isinstance(kind, str):
        return kind == "null"
    if isinstance(kind, list):
        return "null" in kind
    options = next((prop[union] for union in _UNIONS[:2] if union in prop), None)
    if not isinstance(options, list):
        return True
    return any(may_be_null(option) for option in cast("list[object]", options))


def value_limits(prop: Mapping[str, object]) -> ValueLimits | None:
    """What a schema (see `spelled_out`) says of values; None where it says nothing."""
    if _KEYWORDS.isdisjoint(prop):
        return None
    low, above = _bound(prop, "minimum", "exclusiveMinimum")
    high, below = _bound(prop, "maximum", "exclusiveMaximum")
    pattern = prop.get("pattern")
    limits = ValueLimits(
        pattern=pattern if isinstance(pattern, str) and pattern else None,
        values=_values(prop),
        minimum=low,
        maximum=high,
        exclusive_minimum=above,
        exclusive_maximum=below,
        min_length=_length(prop.get("minLength")),
        max_length=_length(prop.get("maxLength")),
    )
    return None if limits == _NO_LIMITS else limits


def _bound(
    prop: Mapping[str, object], keyword: str, exclusive: str
) -> tuple[Number | None, Number | None]:
    """A bound that values may reach, and one that they may not; draft 4 had a flag for that."""
    bound, flag = _number(prop.get(keyword)), prop.get(exclusive)
    return (None, bound) if flag is True else (bound, _number(flag))


def _number(value: object) -> Number | None:
    return value if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def _length(value: object) -> int | None:
    number = _number(value)
    whole = isinstance(number, int) or (number is not None and number.is_integer())
    return int(number) if number is not None and whole and number >= 0 else None


def _values(prop: Mapping[str, object]) -> tuple[Scalar, ...] | None:
    """The values that are listed; None where one of them is no scalar, or where they are many."""
    listed = prop.get("enum", [prop["const"]] if "const" in prop else None)
    if not isinstance(listed, list):
        return None
    given = [value for value in cast("list[object]", listed) if value is not None]
    scalars = tuple(value for value in given if isinstance(value, (bool, int, float, str)))
    return scalars if len(scalars) == len(given) and 0 < len(given) <= _MOST_VALUES else None


def _is_null(option: Mapping[str, object]) -> bool:
    return option.get("type") in ("null", ["null"])
