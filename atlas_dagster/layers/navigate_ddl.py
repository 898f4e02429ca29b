"""The SQL of navigate's objects: what holds for its rows, and what people read it by."""

from __future__ import annotations

from psycopg import sql

from atlas_dagster.catalog import Stream
from atlas_dagster.names import bounded_identifier


def navigate_identifier(stream: Stream) -> sql.Identifier:
    """The navigate table of a stream, quoted."""
    return sql.Identifier("navigate", stream.table_name)


def constrain_table(stream: Stream) -> sql.Composed:
    """SQL: what holds for every segment; a key opens at most one at an instant."""
    return sql.SQL(
        """
        alter table {}
            add primary key (_atlas_natural_key, _atlas_valid_from),
            add check (_atlas_valid_to > _atlas_valid_from),
            add check (_atlas_is_current = (_atlas_valid_to is null)),
            add check ((_atlas_closed_by is null) = (_atlas_valid_to is null)),
            add check (_atlas_closed_by in ('update', 'delete')),
            alter _atlas_surrogate_key set not null,
            alter _atlas_is_current set not null,
            alter _atlas_row_hash set not null,
            alter _airbyte_raw_id set not null,
            alter _atlas_run_id set not null,
            set (fillfactor = 90)
        """
    ).format(navigate_identifier(stream))


def create_current_index(stream: Stream) -> sql.Composed:
    """SQL: a key has at most one current segment."""
    return sql.SQL(
        "create unique index on {} (_atlas_natural_key) where _atlas_valid_to is null"
    ).format(navigate_identifier(stream))


def create_current_view(stream: Stream) -> sql.Composed:
    """SQL: the view of current rows beside the table, with all of its columns."""
    return sql.SQL(
        "create or replace view {} as select * from {} where _atlas_valid_to is null"
    ).format(sql.Identifier("navigate", current_view_name(stream)), navigate_identifier(stream))


def create_as_of_function(stream: Stream) -> sql.Composed:
    """SQL: the function that gives the rows as they were at an instant."""
    return sql.SQL(
        """
        create or replace function {function} (timestamptz)
        returns setof {navigate}
        language sql stable parallel safe as $as_of$
            select *
            from {navigate}
            where _atlas_valid_from <= $1
                and (_atlas_valid_to is null or _atlas_valid_to > $1)
        $as_of$
        """
    ).format(
        function=sql.Identifier("navigate", as_of_function_name(stream)),
        navigate=navigate_identifier(stream),
    )


def current_view_name(stream: Stream) -> str:
    """The name of the view of current rows."""
    return bounded_identifier(f"{stream.table_name}_current")


def as_of_function_name(stream: Stream) -> str:
    """The name of the function that gives the rows as of an instant."""
    return bounded_identifier(f"{stream.table_name}_as_of")
