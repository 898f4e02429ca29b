"""The SQL by which navigate follows what its segments should be: the table `difference`."""

from __future__ import annotations

from psycopg import sql

from atlas_dagster.catalog import Stream
from atlas_dagster.layers.navigate_ddl import navigate_identifier
from atlas_dagster.layers.navigate_sql import closed_by, segment_rows

BOOKKEEPING = (
    "_atlas_surrogate_key",
    "_atlas_natural_key",
    "_atlas_valid_from",
    "_atlas_valid_to",
    "_atlas_is_current",
    "_atlas_closed_by",
    "_atlas_row_hash",
    "_airbyte_raw_id",
    "_atlas_run_id",
)


def count_changed_keys() -> sql.Composed:
    """SQL: of the keys whose segments differ, how many are new, changed and deleted.

    A key is new where it is current and was not, changed where another segment of it is current,
    deleted where it was current and is not.
    """
    return sql.SQL(
        """
        select
            count(*) filter (where is_current and not was_current),
            count(*) filter (where is_current and was_current),
            count(*) filter (where was_current and not is_current)
        from (
            select
                bool_or(is_stored and was_current) as was_current,
                bool_or(is_wanted and valid_to is null) as is_current
            from difference
            group by natural_key
        ) as key
        """
    ).format()


def delete_segments(stream: Stream) -> sql.Composed:
    """SQL: drop the segments that should not be; counts them, and those that were current."""
    return sql.SQL(
        """
        with gone as (
            delete from {navigate} as navigate
            using difference
            where not difference.is_wanted
                and navigate._atlas_natural_key = difference.natural_key
                and navigate._atlas_valid_from = difference.valid_from
            returning difference.was_current
        )
        select count(*), count(*) filter (where was_current) from gone
        """
    ).format(navigate=navigate_identifier(stream))


def move_ends(stream: Stream, run_id: str) -> sql.Composed:
    """SQL: close and reopen segments that stay; counts both."""
    return sql.SQL(
        """
        with moved as (
            update {navigate} as navigate
            set
                _atlas_valid_to = difference.valid_to,
                _atlas_is_current = difference.valid_to is null,
                _atlas_closed_by = {closed_by},
                _atlas_run_id = {run_id}
            from difference
            where difference.is_wanted
                and difference.is_stored
                and navigate._atlas_natural_key = difference.natural_key
                and navigate._atlas_valid_from = difference.valid_from
            returning difference.was_current, difference.valid_to is null as is_current
        )
        select
            count(*) filter (where was_current and not is_current),
            count(*) filter (where is_current and not was_current)
        from moved
        """
    ).format(
        navigate=navigate_identifier(stream),
        closed_by=closed_by(sql.SQL("difference")),
        run_id=sql.Literal(run_id),
    )


def insert_segments(stream: Stream, run_id: str) -> sql.Composed:
    """SQL: add the segments that are missing; counts them, and those that are current."""
    return sql.SQL(
        """
        with opened as (
            insert into {navigate} ({columns})
            {rows}
            where segment.is_wanted and not segment.is_stored
            returning _atlas_valid_to is null as is_current
        )
        select count(*), count(*) filter (where is_current) from opened
        """
    ).format(
        navigate=navigate_identifier(stream),
        columns=sql.SQL(", ").join(
            map(sql.Identifier, [*(column.layer for column in stream.columns), *BOOKKEEPING])
        ),
        rows=segment_rows(stream, run_id, sql.SQL("difference as segment")),
    )
