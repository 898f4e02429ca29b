"""What a record version says, in SQL over its raw and its typed values: key, content, instant.

The values are columns of a subquery: ``r0`` and ``t0`` are the first property as jsonb and as its
column has it, ``n0`` is the first part of the key where that lies inside an object.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

from psycopg import sql

from atlas_dagster.casts import cast_json
from atlas_dagster.catalog import Column, ColumnType, Stream
from atlas_dagster.layers.canonical_sql import instant, instant_text, readable_text, value_hash
from atlas_dagster.layers.history_rules import HistoryRules
from atlas_dagster.layers.tombstones import is_tombstone

# PostgreSQL takes at most 100 arguments in a call.
_ARGUMENTS = 100

# An index entry must fit a third of a page.
_LONGEST_KEY_BYTES = 1000

_TAKES_ANY = (ColumnType.TEXT, ColumnType.JSONB)


def natural_key(stream: Stream, rules: HistoryRules, server_version: int) -> sql.Composable:
    """The key as text, NULL where a part of it is."""
    if not rules.key:
        return _whole_record_key(stream, server_version)
    parts = [
        _key_part(stream, path, position, server_version) for position, path in enumerate(rules.key)
    ]
    key: sql.Composable = parts[0]
    if len(parts) > 1:
        key = sql.SQL("case when num_nulls({0}) = 0 then jsonb_build_array({0})::text end").format(
            sql.SQL(", ").join(parts)
        )
    return bounded_key(key)


def bounded_key(key: sql.Composable) -> sql.Composable:
    """A key that an index can hold: a very long one is cut, its md5 behind it."""
    return sql.SQL(
        """case
                    when octet_length({key}) <= {longest} then {key}
                    else left({key}, 200) || '#' || md5({key})
                end"""
    ).format(key=key, longest=sql.Literal(_LONGEST_KEY_BYTES))


def _key_part(
    stream: Stream, path: Sequence[str], position: int, server_version: int
) -> sql.Composable:
    """A part of the key as text: 1 is 1.0, and stays itself where its column widens."""
    if len(path) > 1:
        return readable_text(nested_value(position))
    index = next(i for i, column in enumerate(stream.columns) if column.name == path[0])
    column, raw, typed = stream.columns[index], raw_value(index), typed_value(index)
    text: sql.Composable = sql.SQL("{}::text").format(typed)
    if column.type is ColumnType.JSONB:
        text = readable_text(raw)
    elif column.type is ColumnType.NUMERIC:
        text = sql.SQL("trim_scale({})::text").format(typed)
    elif column.type is ColumnType.TEXT:
        text = sql.SQL(
            "case jsonb_typeof({0}) when 'number' then trim_scale({0}::numeric)::text else {1} end"
        ).format(raw, typed)
    if not column.is_instant:
        return text
    moment = instant_text(instant(column, raw, typed, server_version))
    return sql.SQL("coalesce({}, {})").format(moment, text)


def _whole_record_key(stream: Stream, server_version: int) -> sql.Composable:
    """128 bits of the whole record, ignored columns included."""
    columns = list(enumerate(stream.columns))
    halves = (_content_hash(columns, salt, server_version) for salt in ("left/", "right/"))
    return sql.SQL("lpad(to_hex({}), 16, '0') || lpad(to_hex({}), 16, '0')").format(*halves)


def row_hash(stream: Stream, rules: HistoryRules, server_version: int) -> sql.Composable:
    """64 bits of the content that is compared.

    A hash per column, seeded with its name, in which null counts for 0: neither a column that is
    added nor the order of columns changes the hash of a record.
    """
    compared = [(i, column) for i, column in enumerate(stream.columns) if rules.compares(column)]
    return _content_hash(compared, "", server_version)


def _content_hash(
    columns: Sequence[tuple[int, Column]], salt: str, server_version: int
) -> sql.Composable:
    hashes = [
        value_hash(column, raw_value(i), typed_value(i), _seed(salt + column.name), server_version)
        for i, column in columns
    ]
    return sql.SQL("({})").format(sql.SQL(" # ").join(hashes or [sql.SQL("0::bigint")]))


def _seed(name: str) -> int:
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:8], "big", signed=True)


def version_instant(stream: Stream, rules: HistoryRules, server_version: int) -> sql.Composable:
    """When a version says what it says.

    All rows of a complete full refresh speak at its one instant; others at the source's time
    where one is named and given. A tombstone repeats a version, whose time is past.
    """
    if rules.time is None:
        return sql.SQL("coalesce(snapshot_instant, _airbyte_extracted_at)")
    index = stream.columns.index(rules.time)
    return sql.SQL(
        """coalesce(
                    snapshot_instant,
                    case when not ({is_tombstone}) then ({moment})::timestamptz end,
                    _airbyte_extracted_at
                )"""
    ).format(
        is_tombstone=is_tombstone(sql.Identifier("_airbyte_raw_id")),
        moment=instant(rules.time, raw_value(index), typed_value(index), server_version),
    )


def sequence(stream: Stream, rules: HistoryRules, server_version: int) -> sql.Composable:
    """What orders the versions of one instant: the source's own sequence."""
    if rules.sequence is None:
        return sql.SQL("null::numeric")
    raw = raw_value(stream.columns.index(rules.sequence))
    return cast_json(raw, ColumnType.NUMERIC, server_version)


def deleted(stream: Stream, rules: HistoryRules) -> sql.Composable:
    """Whether a version says that its record is deleted."""
    if rules.deleted is None:
        return sql.SQL("false")
    return sql.SQL("{} is not null").format(raw_value(stream.columns.index(rules.deleted)))


def errors(stream: Stream) -> sql.Composable:
    """The values that did not fit, by column; NULL where all did, which one count tells."""
    checked = [i for i, column in enumerate(stream.columns) if column.type not in _TAKES_ANY]
    if not checked:
        return sql.SQL("null::jsonb")
    misfits = sql.SQL(" || ").join(
        sql.SQL(
            "case when {raw} is not null and {typed} is null"
            " then jsonb_build_object({name}::text, {raw}) else '{{}}' end"
        ).format(raw=raw_value(i), typed=typed_value(i), name=sql.Literal(stream.columns[i].name))
        for i in checked
    )
    return sql.SQL("case when {} <> {} then {} end").format(
        _count(map(raw_value, checked)), _count(map(typed_value, checked)), misfits
    )


def _count(values: Iterable[sql.Composable]) -> sql.Composable:
    listed = list(values)
    chunks = (listed[i : i + _ARGUMENTS] for i in range(0, len(listed), _ARGUMENTS))
    return sql.SQL(" + ").join(
        sql.SQL("num_nonnulls({})").format(sql.SQL(", ").join(chunk)) for chunk in chunks
    )


def raw_value(index: int) -> sql.Identifier:
    """A property as jsonb, NULL where it is null or missing."""
    return sql.Identifier(f"r{index}")


def typed_value(index: int) -> sql.Identifier:
    """A property in the type of its column, NULL where it does not fit."""
    return sql.Identifier(f"t{index}")


def nested_value(position: int) -> sql.Identifier:
    """A part of the key that lies inside an object, as jsonb."""
    return sql.Identifier(f"n{position}")
