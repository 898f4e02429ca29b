"""Every column that a stream has had, in ``pipeline.stream_column``: what chart and navigate have.

A source's schema drifts: columns come, go, come back and change their type. Here a column stays,
and its type only widens, so that old rows keep their meaning and the order in which days are built
decides nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace

from psycopg.rows import class_row

from atlas_dagster.catalog import Column, Stream
from atlas_dagster.json_schema import INSTANT_TYPES, ColumnType, wider_type
from atlas_dagster.names import unique_columns
from atlas_dagster.warehouse import PgConnection, lock_transaction, register_stream


@dataclass(frozen=True)
class SchemaChange:
    """What a source did to a column: ``added``, ``removed``, ``returned`` or ``retyped``.

    ``type`` is what the column has in chart and navigate from then on.
    """

    name: str
    change: str
    declared_before: str | None
    declared_type: str | None
    type: str

    def __str__(self) -> str:
        return f"{self.name!r} {self.told}"

    @property
    def told(self) -> str:
        """What happened to the column, to stand behind its name."""
        match self.change:
            case "added":
                return f"was added as {self.type}"
            case "removed":
                return "is gone from the source; the layers keep it"
            case "returned":
                return f"is back as {self.declared_type}, kept as {self.type}"
            case _:
                return (
                    f"was {self.declared_before}, is {self.declared_type} now, kept as {self.type}"
                )


@dataclass(frozen=True)
class _Registered:
    name: str
    position: int
    landing: str
    layer: str
    type: str
    declared_type: str | None
    was_instant: bool


def register_columns(connection: PgConnection, stream: Stream, run_id: str) -> Stream:
    """Take up the columns that a stream has by its catalog; returns it with all it ever had.

    One transaction. What differs from the catalog before is recorded in ``pipeline.schema_change``;
    the first columns of a stream are no change.
    """
    with connection.transaction():
        registered = _load(connection, stream.table_name)
        wanted = _merged(stream.columns, registered)
        if wanted != registered:
            register_stream(connection, stream)
            lock_transaction(connection, f"columns/{stream.table_name}")
            registered = _load(connection, stream.table_name)
            wanted = _merged(stream.columns, registered)
            _save(connection, stream.table_name, registered, wanted, run_id)
    return _with_columns(stream, wanted)


def registered_stream(connection: PgConnection, stream: Stream) -> Stream:
    """A stream with all columns that it ever had; those of its catalog where none is registered."""
    registered = _load(connection, stream.table_name)
    return _with_columns(stream, registered) if registered else stream


def load_changes(connection: PgConnection, stream: Stream, run_id: str) -> list[SchemaChange]:
    """What a run found changed in a stream's schema."""
    with connection.cursor(row_factory=class_row(SchemaChange)) as cursor:
        return cursor.execute(
            """
            select name, change, declared_before, declared_type, type
            from pipeline.schema_change
            where table_name = %s and run_id = %s
            order by id
            """,
            (stream.table_name, run_id),
        ).fetchall()


def _load(connection: PgConnection, table_name: str) -> Mapping[str, _Registered]:
    with connection.cursor(row_factory=class_row(_Registered)) as cursor:
        rows = cursor.execute(
            """
            select name, position, landing, layer, type, declared_type, was_instant
            from pipeline.stream_column
            where table_name = %s
            order by position
            """,
            (table_name,),
        ).fetchall()
    return {row.name: row for row in rows}


def _merged(
    columns: Sequence[Column], registered: Mapping[str, _Registered]
) -> Mapping[str, _Registered]:
    """What is registered once a catalog's columns are taken up; widened, never narrowed."""
    declared = {column.name: column for column in columns}
    layers = unique_columns({**registered, **declared})
    merged = {name: replace(column, declared_type=None) for name, column in registered.items()}
    for name, column in declared.items():
        known = merged.get(name)
        kind = wider_type(ColumnType(known.type), column.type) if known else column.type
        instant = known is not None and (known.was_instant or known.type in INSTANT_TYPES)
        merged[name] = _Registered(
            name=name,
            position=known.position if known else len(merged),
            landing=column.landing,
            layer=known.layer if known else layers[name],
            type=kind.value,
            declared_type=column.type.value,
            was_instant=instant and kind not in INSTANT_TYPES,
        )
    return merged


def _save(
    connection: PgConnection,
    table_name: str,
    before: Mapping[str, _Registered],
    after: Mapping[str, _Registered],
    run_id: str,
) -> None:
    changed = [column for name, column in after.items() if column != before.get(name)]
    with connection.cursor() as cursor:
        cursor.executemany(_SAVE_COLUMN, [{"table_name": table_name, **asdict(c)} for c in changed])
        if before:
            changes = filter(None, (_change(before.get(c.name), c) for c in changed))
            cursor.executemany(
                _SAVE_CHANGE,
                [{"table_name": table_name, "run_id": run_id, **asdict(c)} for c in changes],
            )


def _change(before: _Registered | None, after: _Registered) -> SchemaChange | None:
    """What a column's registration says that the source did; None where it did nothing."""
    old = before.declared_type if before else None
    if before is None:
        change = "added"
    elif after.declared_type is None:
        change = "removed"
    elif old is None:
        change = "returned"
    elif old != after.declared_type:
        change = "retyped"
    else:
        return None
    return SchemaChange(after.name, change, old, after.declared_type, after.type)


_SAVE_COLUMN = """
insert into pipeline.stream_column
    (table_name, name, position, landing, layer, type, declared_type, was_instant)
values (
    %(table_name)s, %(name)s, %(position)s, %(landing)s, %(layer)s, %(type)s, %(declared_type)s,
    %(was_instant)s
)
on conflict (table_name, name) do update set
    landing = excluded.landing,
    type = excluded.type,
    declared_type = excluded.declared_type,
    was_instant = excluded.was_instant
"""

_SAVE_CHANGE = """
insert into pipeline.schema_change
    (table_name, name, change, declared_before, declared_type, type, run_id)
values (
    %(table_name)s, %(name)s, %(change)s, %(declared_before)s, %(declared_type)s, %(type)s,
    %(run_id)s
)
"""


def _with_columns(stream: Stream, registered: Mapping[str, _Registered]) -> Stream:
    declared = {column.name: column for column in stream.columns}
    return replace(
        stream,
        columns=tuple(
            replace(
                declared.get(c.name) or Column(c.name, c.landing, c.layer, ColumnType(c.type)),
                layer=c.layer,
                type=ColumnType(c.type),
                was_instant=c.was_instant,
            )
            for c in registered.values()
        ),
    )
