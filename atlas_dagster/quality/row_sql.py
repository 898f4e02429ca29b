"""Conditions on a row of chart: which rows a check tests, and which of those fail.

Soda counts them, and the sample of failed rows is found by them. A condition is never NULL where
its row is tested.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from psycopg import sql
from typing_extensions import LiteralString

from atlas_dagster.json_limits import Number, ValueLimits
from atlas_dagster.quality.spec import (
    Check,
    Json,
    MissingParameters,
    PairParameters,
    Rule,
    TextDamageParameters,
)

_TEXTS = ("character varying", "text")
_NUMBERS = ("bigint", "numeric", "integer", "smallint", "real", "double precision")


@dataclass(frozen=True)
class RowCondition:
    """Which rows a check tests, all where None, and which of those fail."""

    failed: sql.Composable
    tested: sql.Composable | None = None


def row_condition(check: Check, types: Mapping[str, str]) -> RowCondition:
    """The condition of a check of single rows; ``types`` are those of chart's columns."""
    match check.parameters:
        case MissingParameters(empty_is_missing):
            return _missing(check, types, empty_is_missing)
        case ValueLimits() as wanted:
            return _invalid(check, types, wanted)
        case TextDamageParameters(pattern):
            return _damaged(check, types, pattern)
        case PairParameters(earlier, later):
            first, second = sql.Identifier(earlier), sql.Identifier(later)
            return RowCondition(
                sql.SQL("{} > {}").format(first, second),
                sql.SQL("{} is not null and {} is not null").format(first, second),
            )
        case _ if check.rule is Rule.CAST_LOSS:
            return RowCondition(sql.SQL("_atlas_errors is not null"))
        case _:
            raise AssertionError(f"{check.rule} is no condition on a row")


def _missing(check: Check, types: Mapping[str, str], empty_is_missing: bool) -> RowCondition:
    tests: list[sql.Composable] = []
    for name in check.columns:
        tests.append(sql.SQL("{} is null").format(sql.Identifier(name)))
        if empty_is_missing and types.get(name) in _TEXTS:
            tests.append(sql.SQL("{} = ''").format(sql.Identifier(name)))
    return RowCondition(any_of(tests))


def _damaged(check: Check, types: Mapping[str, str], pattern: str) -> RowCondition:
    return RowCondition(
        any_of(
            sql.SQL("coalesce({} ~ {}, false)").format(as_text(name, types), sql.Literal(pattern))
            for name in check.columns
        ),
        any_of(not_null(sql.Identifier(name)) for name in check.columns),
    )


def _invalid(check: Check, types: Mapping[str, str], wanted: ValueLimits) -> RowCondition:
    """Values beyond a limit: numbers by the column as it is, lengths and patterns by its text.

    A pattern is one of PostgreSQL's, searched for anywhere in the text.
    """
    name = check.columns[0]
    value, spelled = sql.Identifier(name), as_text(name, types)
    tests: list[sql.Composable] = []
    if wanted.pattern is not None:
        tests.append(sql.SQL("{} !~ {}").format(spelled, sql.Literal(wanted.pattern)))
    if wanted.values is not None:
        tests.append(_not_among(name, types, wanted.values))
    length = sql.SQL("length({})").format(spelled)
    limits: tuple[tuple[sql.Composable, LiteralString, Number | None], ...] = (
        (value, "{} < {}", wanted.minimum),
        (value, "{} > {}", wanted.maximum),
        (value, "{} <= {}", wanted.exclusive_minimum),
        (value, "{} >= {}", wanted.exclusive_maximum),
        (length, "{} < {}", wanted.min_length),
        (length, "{} > {}", wanted.max_length),
    )
    tests += [
        sql.SQL(template).format(tested, sql.Literal(limit))
        for tested, template, limit in limits
        if limit is not None
    ]
    return RowCondition(any_of(tests), not_null(value))


def _not_among(name: str, types: Mapping[str, str], values: Sequence[Json]) -> sql.Composable:
    """SQL: whether a value that is not NULL is none of some, by the type of its column."""
    kind = types.get(name)
    among: list[sql.Composable]
    if kind == "jsonb":
        among = [
            sql.SQL("{}::jsonb").format(sql.Literal(json.dumps(v))) for v in values if v is not None
        ]
    elif kind in _NUMBERS:
        among = [
            sql.Literal(value)
            for value in values
            if isinstance(value, (int, float)) and not isinstance(value, bool)
        ]
    else:
        among = [sql.Literal(spelling(value)) for value in values if value is not None]
    if not among:
        return sql.SQL("true")
    left = sql.Identifier(name) if kind == "jsonb" or kind in _NUMBERS else as_text(name, types)
    return sql.SQL("{} not in ({})").format(left, sql.SQL(", ").join(among))


def written(expression: str) -> sql.SQL:
    """SQL: an expression that a user wrote, as it is."""
    return sql.SQL(cast("Any", expression))


def spelling(value: Json) -> str:
    """A JSON value as a text column holds it."""
    return value if isinstance(value, str) else json.dumps(value)


def as_text(name: str, types: Mapping[str, str]) -> sql.Composable:
    """SQL: a column as text; of JSON the string itself, without its quotes."""
    kind = types.get(name)
    if kind in _TEXTS:
        return sql.Identifier(name)
    template = "({} #>> '{{}}')" if kind == "jsonb" else "{}::text"
    return sql.SQL(template).format(sql.Identifier(name))


def not_null(value: sql.Composable) -> sql.Composed:
    """SQL: whether a value is there."""
    return sql.SQL("{} is not null").format(value)


def any_of(tests: Iterable[sql.Composable]) -> sql.Composed:
    """SQL: whether one of some conditions holds."""
    return sql.SQL(" or ").join(tests)
