"""Takes a person out of a stream: explore is changed, and chart and navigate follow from it.

One transaction a stream, under the locks of all three builds. What follows in chart and navigate
is what their own builds make of the changed versions.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import date
from enum import Enum

from psycopg import sql

from atlas_dagster.catalog import Stream, Table
from atlas_dagster.layers.chart import build_chart, replace_versions
from atlas_dagster.layers.erased import save_erased_values, save_erased_versions
from atlas_dagster.layers.layer_tables import RowCount, add_rows
from atlas_dagster.layers.navigate import build_navigate
from atlas_dagster.layers.tombstones import landed_table
from atlas_dagster.subjects import erase_sql
from atlas_dagster.subjects.redact_sql import SECRET, check_redactable
from atlas_dagster.subjects.redact_text import replace_in_texts
from atlas_dagster.subjects.search import SubjectRows, count_rows, find_versions
from atlas_dagster.subjects.streams import SearchedStream
from atlas_dagster.subjects.wanted import Wanted
from atlas_dagster.warehouse import PgConnection, identifier, lock_transaction, table_exists

NO_DAYS = date.max, date.min
"""A range that no day lies in: a build of it does what is due without regard to days."""

_RUN = "atlas subject"
_RAW_IDS = sql.SQL("(select _airbyte_raw_id from subject_version)")


class Mode(str, Enum):
    """What erasing leaves: versions without the person's values, or no version."""

    REDACT = "redact"
    REMOVE = "remove"


def lock_stream(connection: PgConnection, table_name: str) -> None:
    """Wait until no layer of a stream is being built; none can be until the transaction ends."""
    for layer in ("explore", "chart", "navigate"):
        lock_transaction(connection, f"{layer}/{table_name}")


def erase(
    connection: PgConnection, searched: SearchedStream, wanted: Wanted, mode: Mode
) -> SubjectRows:
    """Erase what a stream holds of a person, in the caller's transaction, which has its locks.

    Returns what there was of the person before.
    Raises ConfigError where a key would not outlast being redacted.
    """
    if "chart" in searched.layers:  # under other rules or wider columns, it is built anew first
        build_chart(connection, searched.charted, searched.rules, *NO_DAYS, _RUN)
    found = find_versions(connection, searched, wanted)
    rows = count_rows(connection, searched, wanted)
    if not found:
        return rows
    if mode is Mode.REDACT:
        check_redactable(searched)
    save_erased_values(connection, wanted.values)
    save_erased_versions(connection, searched.stream, searched.key, sql.SQL("subject_version"))
    if mode is Mode.REDACT:
        _redact_versions(connection, searched, wanted)
    _change_explore(connection, searched.stream, mode, rows)
    if "chart" in searched.layers:
        _change_chart(connection, searched, mode)
    _change_navigate(connection, searched)
    connection.execute(erase_sql.delete_samples(searched.stream))
    _forget_statistics(connection, searched)
    return rows


def _redact_versions(connection: PgConnection, searched: SearchedStream, wanted: Wanted) -> None:
    secret = secrets.token_hex(32)
    connection.execute("select set_config(%s, %s, true)", (SECRET, secret))
    for query in erase_sql.redact_versions(searched):
        connection.execute(query)
    if wanted.values:
        _erase_texts(connection, searched, wanted.values, secret)


def _erase_texts(
    connection: PgConnection, searched: SearchedStream, values: Sequence[str], secret: str
) -> None:
    """Replace the values in what is left: a note of hers may have her address too."""
    heads = {path[0] for path in searched.key}
    for raw_id, name, document in connection.execute(erase_sql.left_texts(searched)).fetchall():
        changed = replace_in_texts(document, values, secret if name in heads else None)
        if changed != document:
            connection.execute(erase_sql.SET_FIELD, (name, changed, raw_id))


def _change_explore(
    connection: PgConnection, stream: Stream, mode: Mode, rows: SubjectRows
) -> None:
    if rows.explore and mode is Mode.REDACT:
        connection.execute(erase_sql.update_explore(stream))
    elif rows.explore:
        gone = connection.execute(erase_sql.delete_explored(stream)).rowcount
        add_rows(connection, stream.explore, RowCount(-gone, None))
    landed = landed_table(stream.table_name)
    if mode is Mode.REMOVE and table_exists(connection, landed):
        connection.execute(
            sql.SQL("delete from {} where raw_id in {}").format(identifier(landed), _RAW_IDS)
        )


def _change_chart(connection: PgConnection, searched: SearchedStream, mode: Mode) -> None:
    versions = erase_sql.versions_to_chart(searched) if mode is Mode.REDACT else None
    replace_versions(connection, searched.charted, searched.rules, _RAW_IDS, versions, _RUN)


def _change_navigate(connection: PgConnection, searched: SearchedStream) -> None:
    """Drop the segments of the keys, and let navigate's own build make those that should be."""
    stream = searched.charted
    connection.execute(erase_sql.forget_dirty_keys(stream))
    if "navigate" not in searched.layers:
        return
    row = connection.execute(erase_sql.delete_segments(stream)).fetchone()
    gone, current = row or (0, 0)
    add_rows(connection, stream.navigate, RowCount(-gone, -current))
    if "chart" in searched.layers:
        connection.execute(erase_sql.mark_dirty_keys(stream))
        build_navigate(connection, stream, searched.rules, *NO_DAYS, _RUN)


def _forget_statistics(connection: PgConnection, searched: SearchedStream) -> None:
    """The planner keeps samples of values: let it take others."""
    for layer in sorted(searched.layers):
        table = Table(layer, searched.stream.table_name)
        connection.execute(sql.SQL("analyze {}").format(identifier(table)))
