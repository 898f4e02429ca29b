"""Casts that never fail: a value that does not fit its type becomes NULL, set-based.

Which SQL does this best depends on the server: ``json_value … null on error`` (17 and newer),
``pg_input_is_valid`` (16), plpgsql functions of ours in schema ``pipeline`` (15).
"""

from __future__ import annotations

from psycopg import sql
from typing_extensions import LiteralString

from atlas_dagster.catalog import ColumnType

_TEMPORAL = {
    ColumnType.DATE,
    ColumnType.TIMESTAMPTZ,
    ColumnType.TIMESTAMP,
    ColumnType.TIMETZ,
    ColumnType.TIME,
}

_DIALECTS: dict[int, LiteralString] = {
    17: "json_value({value}, '$' returning {type} null on error)",
    16: "case when pg_input_is_valid({value} #>> '{{}}', {name})"
    " then ({value} #>> '{{}}')::{type} end",
    15: "pipeline.try_cast({value} #>> '{{}}', null::{type})",
}


def cast_json(value: sql.Composable, kind: ColumnType, server_version: int) -> sql.Composable:
    """SQL that reads a jsonb scalar as a column type; NULL where it does not fit.

    ``value`` is a jsonb expression that is cheap to repeat and never JSON null. Text that only
    PostgreSQL would take (``now``, ``infinity``, ``01/02/2023``, ``0x1F``, ``1_000``) does not fit.
    Rule: airbytehq/airbyte, load CDK, data/AirbyteValueCoercer.kt.
    """
    if kind is ColumnType.JSONB:
        return value
    if kind is ColumnType.TEXT:
        return sql.SQL("{} #>> '{{}}'").format(value)
    if kind is ColumnType.BOOLEAN:
        return sql.SQL(
            "case {} when 'true'::jsonb then true when 'false'::jsonb then false end"
        ).format(value)
    soft = _soft(value, kind, server_version)
    if kind not in _TEMPORAL:
        return sql.SQL(_NUMBER_CASTS[kind]).format(value=value, soft=soft)
    gate = _TIME_GATE if kind in (ColumnType.TIME, ColumnType.TIMETZ) else _DATE_GATE
    return sql.SQL(_TEMPORAL_CAST).format(
        value=value,
        gate=sql.SQL(gate).format(value=value, words=sql.Literal(_WORDS)),
        soft=soft,
    )


# The two spellings that are cheap to know come first. Words such as now, today and infinity, and
# dates that begin with the day or the month, are PostgreSQL's alone.
_DATE_GATE = """(
        {value} #>> '{{}}' like '2___-__-__T__:__:__%'
        or {value} #>> '{{}}' like '2___-__-__'
        or {value} #>> '{{}}' like '1___-__-__'
        or ({value} #>> '{{}}' ~ '^[0-9]{{4}}' and {value} #>> '{{}}' !~* {words})
    )"""

_TIME_GATE = """(
        {value} #>> '{{}}' like '__:__:__'
        or ({value} #>> '{{}}' ~ '^[0-9]' and {value} #>> '{{}}' !~* {words})
    )"""

_WORDS = "(now|today|tomorrow|yesterday|allballs|epoch|infinity)"

_TEMPORAL_CAST: LiteralString = """case
    when jsonb_typeof({value}) = 'string' and {gate} then {soft}
end"""

# Spelled out: \s and \d match Unicode's spaces and digits, which no cast takes. A longer number
# than 1,000 characters can exceed what numeric holds.
_NUMBER_CASTS: dict[ColumnType, LiteralString] = {
    ColumnType.NUMERIC: """case jsonb_typeof({value})
    when 'number' then {value}::numeric
    when 'string' then case
        when length({value} #>> '{{}}') <= 1000 and {value} #>> '{{}}'
            ~ '^[ \\t\\n]*[-+]?([0-9]+\\.?[0-9]*|\\.[0-9]+)([eE][-+]?[0-9]{{1,3}})?[ \\t\\n]*$'
        then ({value} #>> '{{}}')::numeric
    end
end""",
    ColumnType.BIGINT: """case jsonb_typeof({value})
    when 'number' then coalesce({soft}, case
        when {value}::numeric between -9223372036854775808 and 9223372036854775807
            and trunc({value}::numeric) = {value}::numeric
        then {value}::numeric::bigint
    end)
    when 'string' then case
        when length({value} #>> '{{}}') <= 1000
            and {value} #>> '{{}}' ~ '^[ \\t\\n]*[-+]?[0-9]+(\\.0*)?[ \\t\\n]*$'
            and ({value} #>> '{{}}')::numeric between -9223372036854775808 and 9223372036854775807
        then ({value} #>> '{{}}')::numeric::bigint
    end
end""",
}


def _soft(value: sql.Composable, kind: ColumnType, server_version: int) -> sql.Composable:
    dialect = _DIALECTS[min(max(server_version // 10000, 15), 17)]
    return sql.SQL(dialect).format(
        value=value, type=sql.SQL(kind.value), name=sql.Literal(kind.value)
    )
