"""The checks of one column: that values are there, valid and whole."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, replace

from atlas_dagster.catalog import Column
from atlas_dagster.json_limits import ValueLimits
from atlas_dagster.json_schema import ColumnType
from atlas_dagster.quality.check_names import column_check
from atlas_dagster.quality.formats import DAMAGED_TEXT, FORMATS
from atlas_dagster.quality.spec import (
    Check,
    Dimension,
    Limit,
    MissingParameters,
    Operator,
    Rule,
    TextDamageParameters,
    Threshold,
    Unit,
)

_ANY = Limit(Operator.GT, 0)
FAILS_AT_ANY = Threshold(fail=_ANY)
WARNS_AT_ANY = Threshold(warn=_ANY)
MEASURED_ONLY = Threshold()
_INVALID = Threshold(warn=_ANY, fail=Limit(Operator.GT, 5, Unit.PERCENT))

_NUMBERS = (ColumnType.BIGINT, ColumnType.NUMERIC)
_NO_LIMITS = ValueLimits()


def column_checks(column: Column, key_origin: str | None) -> Iterator[Check]:
    """The checks of a column; ``key_origin`` says who made it a part of the key, if anybody."""
    yield _missing(column, key_origin)
    limits = _checkable(column)
    if limits != _NO_LIMITS:
        yield _invalid(column, limits)
    # What is one of a list, or matches a format, is whole.
    is_told = limits.values is not None or limits.pattern in FORMATS.values()
    if column.type is ColumnType.TEXT and not is_told:
        yield _text_damage(column)


def _missing(column: Column, key_origin: str | None) -> Check:
    threshold, origin = _missing_threshold(column, key_origin)
    empty = key_origin is not None and column.type is ColumnType.TEXT
    description = f"How often {column.layer} is missing."
    if threshold != MEASURED_ONLY:
        description = f"{column.layer} is {'not empty and ' if empty else ''}never missing."
    return Check(
        name=column_check(Rule.MISSING, column.layer),
        rule=Rule.MISSING,
        dimension=Dimension.COMPLETENESS,
        columns=(column.layer,),
        description=description,
        origin=origin,
        threshold=threshold,
        parameters=MissingParameters(empty_is_missing=empty),
    )


def _missing_threshold(column: Column, key_origin: str | None) -> tuple[Threshold, str]:
    """When a missing value counts: where the schema lets it be null, it is only measured."""
    if key_origin is not None:
        return FAILS_AT_ANY, key_origin
    if column.nullable:
        return MEASURED_ONLY, "every column is measured"
    if column.required:
        return FAILS_AT_ANY, "the source's schema: required"
    return WARNS_AT_ANY, "the source's schema: not null"


def _invalid(column: Column, limits: ValueLimits) -> Check:
    return Check(
        name=column_check(Rule.INVALID, column.layer),
        rule=Rule.INVALID,
        dimension=Dimension.VALIDITY,
        columns=(column.layer,),
        description=f"{column.layer} is {_described(column, limits)}.",
        origin=f"the source's schema: {_keywords(column, limits)}",
        threshold=_INVALID,
        parameters=limits,
    )


def _checkable(column: Column) -> ValueLimits:
    """What of a schema can be said of the values as chart has them.

    A pattern that the schema spells decides before that of its format.
    """
    limits = column.limits or _NO_LIMITS
    if column.type in _NUMBERS:
        limits = replace(limits, pattern=None, min_length=None, max_length=None)
        return limits if _all_are(limits, (int, float)) else replace(limits, values=None)
    if column.type is not ColumnType.TEXT:
        return _NO_LIMITS
    return ValueLimits(
        pattern=limits.pattern or FORMATS.get(column.format or ""),
        values=limits.values if _all_are(limits, (str,)) else None,
        min_length=limits.min_length or None,
        max_length=limits.max_length,
    )


def _all_are(limits: ValueLimits, kinds: tuple[type, ...]) -> bool:
    values = limits.values or ()
    return all(isinstance(value, kinds) and not isinstance(value, bool) for value in values)


def _described(column: Column, limits: ValueLimits) -> str:
    parts: list[str] = []
    if limits.pattern:
        is_own = column.limits is not None and column.limits.pattern == limits.pattern
        parts.append(f"like {limits.pattern}" if is_own else f"a valid {column.format}")
    if limits.values:
        shown = ", ".join(str(value) for value in limits.values[:10])
        more = f" or one of {len(limits.values) - 10} more" if len(limits.values) > 10 else ""
        parts.append(f"one of {shown}{more}")
    bounds = (
        (limits.minimum, "at least {}"),
        (limits.exclusive_minimum, "more than {}"),
        (limits.maximum, "at most {}"),
        (limits.exclusive_maximum, "less than {}"),
        (limits.min_length, "at least {} characters long"),
        (limits.max_length, "at most {} characters long"),
    )
    parts += [text.format(bound) for bound, text in bounds if bound is not None]
    return ", ".join(parts)


def _keywords(column: Column, limits: ValueLimits) -> str:
    """The keywords of the schema that a check comes from."""
    names = {
        "values": "enum",
        "exclusive_minimum": "exclusiveMinimum",
        "exclusive_maximum": "exclusiveMaximum",
        "min_length": "minLength",
        "max_length": "maxLength",
    }
    if column.limits is None or column.limits.pattern is None:
        names["pattern"] = f"format {column.format}"
    given = [key for key, value in asdict(limits).items() if value is not None]
    return ", ".join(names.get(key, key) for key in given)


def _text_damage(column: Column) -> Check:
    return Check(
        name=column_check(Rule.TEXT_DAMAGE, column.layer),
        rule=Rule.TEXT_DAMAGE,
        dimension=Dimension.ACCURACY,
        columns=(column.layer,),
        description=f"{column.layer} has no control character, and no character that was lost.",
        origin="every text is read",
        threshold=WARNS_AT_ANY,
        parameters=TextDamageParameters(DAMAGED_TEXT),
    )
