"""Who owns what in a database of Atlas, and what of it the writers have yet to take over."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, cast

from psycopg import sql
from psycopg.rows import class_row

from atlas_dagster.catalog import Connection, Table
from atlas_dagster.catalog_store import load_connection
from atlas_dagster.names import bounded_identifier
from atlas_dagster.warehouse import PgConnection, table_exists

STATE = "pipeline"
LAYERS = ("explore", "chart", "navigate")

_TABLE_KINDS = ("r", "p", "v", "m", "f")  # what `grant select on table` takes


@dataclass(frozen=True)
class Owned:
    """A table, view, sequence or function by its quoted name, and who owns it."""

    schema: str
    name: str
    kind: str  # of pg_class; `function` of a function
    quoted: str
    owner: str


@dataclass(frozen=True)
class Landed:
    """All ``tables`` of an owner in a schema where an Airbyte server lands under that role."""

    schema: str
    owner: str
    tables: tuple[str, ...]


@dataclass(frozen=True)
class Ownership:
    """What a database has of ours: ``taken`` is to be handed over, ``left`` belongs to others.

    ``schemas`` are all that we write, ``held`` is the writers' already. What is ``landed`` by an
    Airbyte server stays its own, and the writers read it.
    """

    schemas: tuple[str, ...]
    held: tuple[Owned, ...]
    taken: tuple[Owned, ...]
    left: tuple[Owned, ...]
    landed: tuple[Landed, ...]

    def tables(self, schema: str) -> list[str]:
        """The names of a schema's tables and views that are the writers', or are to be."""
        ours = (*self.held, *self.taken)
        return [each.name for each in ours if each.schema == schema and each.kind in _TABLE_KINDS]


def read_ownership(
    connection: PgConnection, writer: str, in_public: Collection[str], embedded_workspace: str
) -> Ownership:
    """Look at our schemas, at the landing tables, and at the named tables of ``public``.

    Connections of ``embedded_workspace`` land by our own doing, the others by a server's.
    """
    landings = _landings(connection, embedded_workspace)
    embedded = {table for is_embedded, _, tables in landings if is_embedded for table in tables}
    landing_schemas = {table.schema for table in embedded}
    schemas = tuple(sorted({STATE, *LAYERS, *landing_schemas}))
    ours = {
        **dict.fromkeys(LAYERS, _layer_names(connection)),
        **{schema: {t.name for t in embedded if t.schema == schema} for schema in landing_schemas},
        "public": set(in_public),
    }
    held: list[Owned] = []
    taken: list[Owned] = []
    left: list[Owned] = []
    for found in find_owned(connection, [*schemas, "public"]):
        names = ours.get(found.schema)
        if found.owner == writer:
            held.append(found)
        elif names is None or found.name in names or found.name.startswith("_atlas_swap_"):
            taken.append(found)
        elif found.schema != "public" and found.schema not in landing_schemas:
            left.append(found)
    served = [table for is_embedded, _, tables in landings if not is_embedded for table in tables]
    landed = _find_landed(connection, served, writer)
    return Ownership(schemas, tuple(held), tuple(taken), tuple(left), landed)


def _landings(
    connection: PgConnection, embedded_workspace: str
) -> list[tuple[bool, Connection, list[Table]]]:
    """Of each connection that was synced: whether it is embedded, and where it may land."""
    if not table_exists(connection, Table(STATE, "catalog")):
        return []
    rows = connection.execute(
        "select connection, destination->>'workspaceId' from pipeline.catalog"
    ).fetchall()
    landings: list[tuple[bool, Connection, list[Table]]] = []
    for slug, workspace_id in rows:
        known = load_connection(connection, slug)
        is_embedded = workspace_id == embedded_workspace
        tables = [stream.landing for stream in known.streams]
        if not is_embedded:
            tables += [s.raw_landing for s in known.streams]
            tables += [s.raw_landing_v1 for s in known.streams]
        landings.append((is_embedded, known, tables))
    return landings


def _layer_names(connection: PgConnection) -> set[str]:
    if not table_exists(connection, Table(STATE, "stream")):
        return set()
    names = [str(row[0]) for row in connection.execute("select table_name from pipeline.stream")]
    endings = ("", "_current", "_as_of")
    return {bounded_identifier(f"{name}{ending}") for name in names for ending in endings}


def find_owned(connection: PgConnection, schemas: Sequence[str]) -> list[Owned]:
    """All that lies in schemas, in order; of `public` no functions."""
    with connection.cursor(row_factory=class_row(Owned)) as cursor:
        return cursor.execute(_OWNED, {"schemas": list(schemas)}).fetchall()


def _find_landed(
    connection: PgConnection, served: Sequence[Table], writer: str
) -> tuple[Landed, ...]:
    """Who has landed any of the tables, and all that he has beside them: he may land more."""
    rows = connection.execute(
        _LANDED,
        {
            "schemas": [table.schema for table in served],
            "names": [table.name for table in served],
            "kinds": list(_TABLE_KINDS),
            "writer": writer,
        },
    ).fetchall()
    return tuple(Landed(schema, owner, tuple(tables)) for schema, owner, tables in rows)


def hand_over(owned: Owned, writer: str) -> sql.Composed:
    """SQL: let the writers own a thing."""
    kind = "routine" if owned.kind == "function" else "table"
    return sql.SQL("alter {} {} owner to {}").format(
        sql.SQL(kind), sql.SQL(cast("Any", owned.quoted)), sql.Identifier(writer)
    )


# A sequence of an identity column belongs to its table and goes with it.
_OWNED = """
select
    schema.nspname::text as schema,
    relation.relname::text as name,
    relation.relkind::text as kind,
    format('%%I.%%I', schema.nspname, relation.relname) as quoted,
    owner.rolname::text as owner
from pg_class as relation
join pg_namespace as schema on schema.oid = relation.relnamespace
join pg_roles as owner on owner.oid = relation.relowner
where schema.nspname = any(%(schemas)s)
    and relation.relkind in ('r', 'p', 'v', 'm', 'S', 'f')
    and not exists (
        select from pg_depend as link
        where link.classid = 'pg_class'::regclass
            and link.objid = relation.oid
            and relation.relkind = 'S'
            and link.deptype in ('a', 'i')
    )
union all
select
    schema.nspname::text,
    routine.proname::text,
    'function',
    format(
        '%%I.%%I(%%s)', schema.nspname, routine.proname,
        pg_get_function_identity_arguments(routine.oid)
    ),
    owner.rolname::text
from pg_proc as routine
join pg_namespace as schema on schema.oid = routine.pronamespace
join pg_roles as owner on owner.oid = routine.proowner
where schema.nspname = any(%(schemas)s)
    and schema.nspname <> 'public'
order by 1, 2, 3
"""

_LANDED = """
select
    schema.nspname::text,
    owner.rolname::text,
    array_agg(relation.relname::text order by relation.relname)
from pg_class as relation
join pg_namespace as schema on schema.oid = relation.relnamespace
join pg_roles as owner on owner.oid = relation.relowner
where relation.relkind = any(%(kinds)s)
    and owner.rolname <> %(writer)s
    and (relation.relnamespace, relation.relowner) in (
        select landed.relnamespace, landed.relowner
        from unnest(%(schemas)s::text[], %(names)s::text[]) as wanted (schema_name, table_name)
        join pg_namespace as place on place.nspname = wanted.schema_name
        join pg_class as landed
            on landed.relnamespace = place.oid and landed.relname = wanted.table_name
    )
group by 1, 2
order by 1, 2
"""
