"""JSON values as text and as hashes that are equal exactly where the values are.

PostgreSQL's own ``jsonb_hash_extended`` will not do: it takes 5 for -5, ``[0, …]`` of 64 elements
for ``[1, …]``, and ``{"a": {"x": 1}, "y": 2}`` for ``{"a": {"x": 1, "y": 2}}``.
"""

from __future__ import annotations

from psycopg import sql
from typing_extensions import LiteralString

from atlas_dagster.catalog import ColumnType

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
# as its canonical text, and cheaper. An instant counts as such, not as it is spelled.
_TYPED_TEXTS: dict[ColumnType, tuple[str, LiteralString]] = {
    ColumnType.BIGINT: ("number", "{typed}::text"),
    ColumnType.NUMERIC: ("number", "trim_scale({typed})::text"),
    ColumnType.BOOLEAN: ("boolean", "{typed}::text"),
    ColumnType.TIMESTAMPTZ: ("string", "extract(epoch from {typed})::text"),
    ColumnType.TIMESTAMP: ("string", "extract(epoch from {typed})::text"),
}


def value_hash(
    kind: ColumnType, raw: sql.Composable, typed: sql.Composable, seed: int
) -> sql.Composable:
    """SQL: 64 bits of a value, 0 for null; values that differ in JSON differ here.

    ``raw`` and ``typed`` are the value as jsonb and as its column has it, each an expression that
    is cheap to repeat. PostgreSQL's hashes of numbers and timestamps will not do: they take 1 for
    10000, and see no more than 32 bits of an integer.
    """
    text: sql.Composable = canonical_text(raw)
    if kind is ColumnType.TEXT:  # a seed of its own tells the text 1 from the number
        return sql.SQL(
            "case jsonb_typeof({raw}) when 'string' then hashtextextended({typed}, {own_seed})"
            " else coalesce(hashtextextended({text}, {seed}), 0) end"
        ).format(
            raw=raw, typed=typed, own_seed=sql.Literal(~seed), text=text, seed=sql.Literal(seed)
        )
    if kind in _TYPED_TEXTS:
        json_type, typed_text = _TYPED_TEXTS[kind]
        text = sql.SQL(
            "case when {typed} is not null and jsonb_typeof({raw}) = {json_type}"
            " then {typed_text} else {text} end"
        ).format(
            typed=typed,
            raw=raw,
            json_type=sql.Literal(json_type),
            typed_text=sql.SQL(typed_text).format(typed=typed),
            text=text,
        )
    return sql.SQL("coalesce(hashtextextended({}, {}), 0)").format(text, sql.Literal(seed))
