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
    PostgreSQL would take (``now``, ``infinity``, ``0x1F``, ``1_000``) does not fit.
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
    template = _TEMPORAL_CAST if kind in _TEMPORAL else _NUMBER_CASTS[kind]
    return sql.SQL(template).format(value=value, soft=_soft(value, kind, server_version))


# The letters of now, infinity, epoch and allballs come first, digits of a real date do.
_TEMPORAL_CAST: LiteralString = """case
    when jsonb_typeof({value}) = 'string' and ascii({value} #>> '{{}}') between 48 and 57
    then {soft}
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
