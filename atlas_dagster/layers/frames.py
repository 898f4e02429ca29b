"""A layer's table as pandas DataFrames: one in all, or one after the other, types kept.

Rows come through a server-side cursor in binary: memory grows with a chunk, not with the table.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timezone
from typing import TYPE_CHECKING, TypeAlias

import psycopg
from psycopg import sql

from atlas_dagster.catalog import Table
from atlas_dagster.days import of_days
from atlas_dagster.errors import WarehouseError
from atlas_dagster.warehouse import PgConnection, identifier, table_columns

if TYPE_CHECKING:
    import pandas as pd  # pyright: ignore[reportMissingTypeStubs]

CHUNK_ROWS = 20_000


@dataclass(frozen=True)
class Days:
    """The UTC days from ``first`` to ``last``, both included.

    In explore and chart: the record versions of these partitions. In navigate: every segment that
    was valid at some time in them.
    """

    first: date
    last: date


@dataclass(frozen=True)
class AsOf:
    """The segments that were valid at an instant; navigate only."""

    instant: datetime


Selection: TypeAlias = Days | AsOf | None
"""Which rows of a table; None: all of them."""


def end_of(day: date) -> AsOf:
    """The last instant of a UTC day."""
    return AsOf(datetime.combine(day, time.max, timezone.utc))


def read_frame(
    connection: PgConnection,
    table: Table,
    selection: Selection = None,
    columns: Sequence[str] | None = None,
) -> pd.DataFrame:
    """The selected rows and columns of a layer's table, in no order, as one DataFrame.

    Types: see frame_columns. Raises WarehouseError as read_chunks does.
    """
    from atlas_dagster.layers.frame_columns import join_frames

    return join_frames(list(read_chunks(connection, table, selection, columns)))


def read_chunks(
    connection: PgConnection,
    table: Table,
    selection: Selection = None,
    columns: Sequence[str] | None = None,
    chunk_rows: int = CHUNK_ROWS,
) -> Generator[pd.DataFrame]:
    """The same in DataFrames of at most ``chunk_rows`` rows; where there are none, an empty one.

    All of them show one state of the table. The connection is in a transaction until the last one
    is read or the iterator is closed. Raises WarehouseError where there is no such table or
    column, where the layer has no instants to select by, and, as it is read, where a value is
    beyond what Python's types hold.
    """
    present = table_columns(connection, table)
    if not present:
        raise WarehouseError(f"{table} is not there: materialize the layer first")
    chosen = list(present) if columns is None else list(dict.fromkeys(columns))
    for name in chosen:
        if name not in present:
            raise WarehouseError(
                f"{table} has no column {name!r}; its columns: {', '.join(present)}"
            )
    types = {name: present[name] for name in chosen}
    query = select_rows(table, types, _condition(table, selection))
    return _stream(connection, table, query, types, chunk_rows)


def select_rows(table: Table, types: dict[str, str], wanted: sql.Composable) -> sql.Composed:
    """SQL: the wanted rows, with the columns that have no type of their own in pandas as text."""
    from atlas_dagster.layers.frame_columns import reads_as_text

    return sql.SQL("select {} from {} where {}").format(
        sql.SQL(", ").join(
            sql.SQL("{}::text" if reads_as_text(kind) else "{}").format(sql.Identifier(name))
            for name, kind in types.items()
        ),
        identifier(table),
        wanted,
    )


def _condition(table: Table, selection: Selection) -> sql.Composable:
    if selection is None:
        return sql.SQL("true")
    if isinstance(selection, AsOf):
        if table.schema != "navigate":
            raise WarehouseError(
                f"{table} holds record versions, which are valid at no instant: read navigate as of"
                f" an instant, or {table.schema} by its days"
            )
        return valid_at(selection.instant)
    if table.schema == "navigate":
        return valid_within(selection)
    return of_days(sql.SQL("_atlas_partition"), (selection.first, selection.last))


def valid_at(instant: datetime) -> sql.Composed:
    """SQL: the condition that a segment is valid at an instant."""
    return sql.SQL(
        "_atlas_valid_from <= {0} and (_atlas_valid_to is null or _atlas_valid_to > {0})"
    ).format(sql.Literal(instant))


def valid_within(days: Days) -> sql.Composed:
    """SQL: the condition that a segment is valid at some time of some days."""
    return sql.SQL(
        """_atlas_valid_from < ({last}::date + 1)::timestamp at time zone 'UTC'
        and (
            _atlas_valid_to is null
            or _atlas_valid_to > {first}::date::timestamp at time zone 'UTC'
        )"""
    ).format(first=sql.Literal(days.first), last=sql.Literal(days.last))


def _stream(
    connection: PgConnection,
    table: Table,
    query: sql.Composed,
    types: dict[str, str],
    chunk_rows: int,
) -> Generator[pd.DataFrame]:
    from atlas_dagster.layers.frame_columns import build_frame, use_fast_loaders

    with (
        connection.transaction(),
        connection.cursor("atlas_frames", binary=True) as cursor,
    ):
        use_fast_loaders(cursor)
        cursor.execute(query)
        first = True
        while True:
            try:
                rows = cursor.fetchmany(chunk_rows)
                frame = build_frame(rows, types) if rows or first else None
            except (psycopg.DataError, ValueError, RecursionError) as error:
                raise WarehouseError(
                    f"{table}: a DataFrame cannot hold all of its values: {error};"
                    " choose columns without that one"
                ) from None
            if frame is None:
                return
            del rows
            first = False
            yield frame
