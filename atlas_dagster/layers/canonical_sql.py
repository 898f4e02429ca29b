"""JSON values as text and as hashes that are equal exactly where the values are.

PostgreSQL's own ``jsonb_hash_extended`` will not do: it takes 5 for -5, ``[0, …]`` of 64 elements
for ``[1, …]``, and ``{"a": {"x": 1}, "y": 2}`` for ``{"a": {"x": 1, "y": 2}}``.
"""

from __future__ import annotations

from psycopg import sql
from typing_extensions import LiteralString

from atlas_dagster.casts import cast_json
from atlas_dagster.catalog import Column, ColumnType

# Cheaper to find than to mend: a number that may end in zeros behind its point.
_SUSPECT = r"""\.[0-9]*0[],}]"""

# Text in quotes is stepped over; the zeros at the end of a fraction go.
_ZEROS = r"""("(?:[^"\\]|\\.)*")|(\.[0-9]*[1-9])0+(?![0-9])|\.0+(?![0-9])"""

# A text that would read like another value's canonical form.
_AMBIGUOUS = r"""^(-?[0-9]+(\.[0-9]+)?$|true$|false$|["\[{])"""


def canonical_text(value: sql.Composable) -> sql.Composed:
    """SQL: a jsonb value as text; 1 is 1.0, null fields of objects do not count.

    ``value`` is a jsonb expression that is cheap to repeat and never JSON null.
    """
    return sql.SQL(
        """case jsonb_typeof({value})
                    when 'number' then trim_scale({value}::numeric)::text
                    when 'string' then {value}::text
                    when 'boolean' then {value}::text
                    else case
                        when {value}::text like '%.%' and {value}::text ~ {suspect}
                        then regexp_replace(
                            jsonb_strip_nulls({value})::text, {zeros}, '\\1\\2', 'g'
                        )
                        else jsonb_strip_nulls({value})::text
                    end
                end"""
    ).format(value=value, zeros=sql.Literal(_ZEROS), suspect=sql.Literal(_SUSPECT))


def readable_text(value: sql.Composable) -> sql.Composed:
    """SQL: the same for people: a text without its quotes, where nothing else reads like it."""
    return sql.SQL(
        """case
                    when jsonb_typeof({value}) = 'string' and {value} #>> '{{}}' !~ {ambiguous}
                    then {value} #>> '{{}}'
                    else {canonical}
                end"""
    ).format(value=value, ambiguous=sql.Literal(_AMBIGUOUS), canonical=canonical_text(value))


# The text of the typed value, where the raw one is of the kind that the type is made for: the same
# as its canonical text, and cheaper.
_TYPED_TEXTS: dict[ColumnType, tuple[str, LiteralString]] = {
    ColumnType.BIGINT: ("number", "{typed}::text"),
    ColumnType.NUMERIC: ("number", "trim_scale({typed})::text"),
    ColumnType.BOOLEAN: ("boolean", "{typed}::text"),
}


def value_hash(
    column: Column,
    raw: sql.Composable,
    typed: sql.Composable,
    seed: int,
    server_version: int,
) -> sql.Composable:
    """SQL: 64 bits of a value, 0 for null; values that differ in JSON differ here.

    ``raw`` and ``typed`` are the value as jsonb and as its column has it, each an expression that
    is cheap to repeat. The type of a column leaves no trace: where it widens, the hashes of what
    is there stay. A date or a time counts as the instant that it names, not as it is spelled.
    PostgreSQL's hashes of numbers and timestamps will not do: they take 1 for 10000, and see no
    more than 32 bits of an integer.
    """
    cases: list[sql.Composable] = []
    if column.is_instant:
        moment = instant(column, raw, typed, server_version)
        cases.append(
            sql.SQL("when jsonb_typeof({}) = 'string' and {} is not null then {}").format(
                raw, moment, _hash(sql.SQL("extract(epoch from {})::text").format(moment), seed)
            )
        )
    elif column.type in _TYPED_TEXTS:
        json_type, text = _TYPED_TEXTS[column.type]
        cases.append(
            sql.SQL("when {} is not null and jsonb_typeof({}) = {} then {}").format(
                typed, raw, sql.Literal(json_type), _hash(sql.SQL(text).format(typed=typed), seed)
            )
        )
    plain = typed if column.type is ColumnType.TEXT else sql.SQL("{} #>> '{{}}'").format(raw)
    return sql.SQL(
        """case
                    {cases}
                    when jsonb_typeof({raw}) = 'string' then {plain}
                    else coalesce({other}, 0)
                end"""
    ).format(
        cases=sql.SQL(" ").join(cases),
        raw=raw,
        plain=_hash(plain, ~seed),  # a seed of its own tells the text 1 from the number
        other=_hash(canonical_text(raw), seed),
    )


def instant(
    column: Column, raw: sql.Composable, typed: sql.Composable, server_version: int
) -> sql.Composable:
    """SQL: the timestamp that a value of an instant's column names; NULL where it names none.

    A date can lie beyond all timestamps.
    """
    if column.type in (ColumnType.TIMESTAMP, ColumnType.TIMESTAMPTZ):
        return typed
    if column.type is ColumnType.DATE:
        return sql.SQL("case when {0} < '294277-01-01' then {0}::timestamp end").format(typed)
    return cast_json(raw, ColumnType.TIMESTAMPTZ, server_version)


def instant_text(moment: sql.Composable) -> sql.Composable:
    """SQL: a timestamp as text, the same for every type that it may have; midnight is a date."""
    return sql.SQL("regexp_replace(({})::timestamp::text, ' 00:00:00$', '')").format(moment)


def _hash(text: sql.Composable, seed: int) -> sql.Composable:
    return sql.SQL("hashtextextended({}, {})").format(text, sql.Literal(seed))
